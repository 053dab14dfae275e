//! Reads a paged list up to a limit.

use crate::failure::Failure;

/// Largest page the services hand out.
const LARGEST_PAGE: u32 = 1000;

/// Calls `fetch(page_size, page_token)` until the list ends or `limit` records are there.
///
/// # Errors
/// The first error of `fetch`.
pub async fn paged<T>(
    limit: u32,
    mut fetch: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Failure>,
) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let missing = limit - u32::try_from(found.len()).unwrap_or(limit);
        // At most LARGEST_PAGE, which fits.
        let page_size = i32::try_from(missing.min(LARGEST_PAGE)).unwrap_or(i32::MAX);
        let (page, next) = fetch(page_size, token).await?;
        found.extend(page);
        found.truncate(limit as usize);
        if next.is_empty() || found.len() == limit as usize {
            return Ok(found);
        }
        token = next;
    }
}
