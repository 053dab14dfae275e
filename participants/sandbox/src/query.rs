//! What paths and queries of the API say beside ids: a status, an order, numbers within their bounds.

use crate::envelope::Refusal;
use crate::payment::Status;
use crate::search::Sorting;
use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

/// The parameters of a query; of one that comes twice, the last.
pub(crate) type Parameters = HashMap<String, String>;

/// The status in a path; `all` is no status.
pub(crate) fn status_of(word: &str) -> Result<Option<Status>, Refusal> {
    match Status::parse(word) {
        None if word != "all" => Err(Refusal::bad_request("the status is one of all, ready, paid, failed, cancelled")),
        status => Ok(status),
    }
}

/// The order a query asks for.
pub(crate) fn sorting_of(query: &Parameters) -> Result<Option<Sorting>, Refusal> {
    let words = "sorting: one of started, paid, updated, with - before it for the latest first";
    let parse = |text: &String| Sorting::parse(text).ok_or_else(|| Refusal::bad_request(words));
    query.get("sorting").map(parse).transpose()
}

/// A whole number of a query within its bounds.
pub(crate) fn number<N: FromStr + PartialOrd + Display>(
    query: &Parameters,
    name: &str,
    least: N,
    most: N,
) -> Result<Option<N>, Refusal> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    match text.parse() {
        Ok(number) if number >= least && number <= most => Ok(Some(number)),
        _ => Err(Refusal::bad_request(format!("{name}: a whole number from {least} to {most}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_within_their_bounds() {
        let query = |text: &str| Parameters::from([("limit".to_owned(), text.to_owned())]);
        assert_eq!(number(&query("1000"), "limit", 1, 1_000_u64).expect("a number"), Some(1_000));
        assert_eq!(number(&query(""), "limit", 1, 1_000_u64).expect("absent"), None);
        assert_eq!(number(&Parameters::new(), "limit", 1, 1_000_u64).expect("absent"), None);
        for bad in ["0", "1001", "-1", "1.5", "x", "99999999999999999999999"] {
            assert_eq!(number(&query(bad), "limit", 1, 1_000_u64).expect_err(bad).status, 400, "{bad}");
        }
    }
}
