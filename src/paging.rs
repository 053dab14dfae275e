//! Reads a paged list up to a limit.

use crate::failure::Failure;
use crate::message::dynamic;
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, Value};

/// Largest page the services hand out.
const LARGEST_PAGE: u32 = 1000;

/// The field that says where a list goes on.
const TOKEN: &str = "next_page_token";

/// Calls `fetch(page_size, page_token)` until the list ends or `limit` records are there, and puts the pages together as one
/// answer.
///
/// # Errors
/// The first error of `fetch`.
pub async fn paged<M: Message + Name + Default>(
    limit: u32,
    mut fetch: impl AsyncFnMut(i32, String) -> Result<M, Failure>,
) -> Result<M, Failure> {
    let mut whole = dynamic(&M::default())?;
    loop {
        let missing = limit - u32::try_from(records(&whole)).unwrap_or(limit);
        // At most LARGEST_PAGE, which fits.
        let page_size = i32::try_from(missing.min(LARGEST_PAGE)).unwrap_or(i32::MAX);
        let page = fetch(page_size, token(&whole)).await?;
        whole.clear_field_by_name(TOKEN);
        // Lists are continued; what stands once is the last page's.
        whole.merge(page.encode_to_vec().as_slice()).map_err(|error| Failure::Other(error.to_string()))?;
        if token(&whole).is_empty() || records(&whole) >= limit as usize {
            return whole.transcode_to().map_err(|error| Failure::Other(error.to_string()));
        }
    }
}

fn token(message: &DynamicMessage) -> String {
    let token = message.get_field_by_name(TOKEN);
    token.and_then(|token| token.as_str().map(str::to_owned)).unwrap_or_default()
}

fn records(message: &DynamicMessage) -> usize {
    message.fields().filter_map(|(_, value)| value.as_list().map(<[Value]>::len)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_proto::baton::saga::v1::{Saga, SearchSagasResponse};

    /// A list of seven, of which a page has at most three.
    fn page(from: usize, size: i32) -> SearchSagasResponse {
        let end = (from + usize::try_from(size).unwrap_or(0).min(3)).min(7);
        let sagas = (from..end).map(|number| Saga { name: number.to_string(), ..Saga::default() }).collect();
        let next_page_token = if end < 7 { end.to_string() } else { String::new() };
        SearchSagasResponse { sagas, next_page_token, ..SearchSagasResponse::default() }
    }

    #[tokio::test]
    async fn pages_become_one_answer() {
        for (limit, names, token) in [(100, "0123456", ""), (7, "0123456", ""), (4, "0123", "4"), (1, "0", "1")] {
            let fetch = async |size: i32, token: String| Ok(page(token.parse().unwrap_or(0), size));
            let answer = paged(limit, fetch).await.expect("pages");
            assert_eq!(answer.sagas.iter().map(|saga| saga.name.as_str()).collect::<String>(), names);
            assert_eq!(answer.next_page_token, token);
        }
    }
}
