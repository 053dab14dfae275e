//! The saga that an argument means: its id, the beginning of one, its business key, or whatever else it is found by.

use crate::client::{Client, name};
use crate::failure::Failure;
use crate::show::Printer;
use baton_proto::baton::saga::v1::{FindSagasRequest, FindSagasResponse};
use tonic::Code;

/// Sagas that are named where several are meant.
const NAMED: i32 = 10;

/// The resource name of the saga that `given` means. What means none is passed on as it is, so that the command is told why there
/// is no such saga.
///
/// # Errors
/// It means several, or the server cannot be asked.
pub async fn saga(client: &Client, given: &str, printer: Printer) -> Result<String, Failure> {
    let request = FindSagasRequest { text: given.to_owned(), page_size: NAMED };
    let found = match client.admin().find_sagas(client.request(request)).await {
        Ok(answer) => answer.into_inner(),
        // Too long to be anything, or an orchestrator of an earlier version.
        Err(status) if matches!(status.code(), Code::InvalidArgument | Code::Unimplemented) => {
            return Ok(name("sagas", given));
        }
        Err(status) => return Err(status.into()),
    };
    match found.sagas.as_slice() {
        [] => Ok(name("sagas", given)),
        [only] if !found.more => {
            if found.by != "id" {
                printer.say(&format!("{given} is {}", meant(&found, &only.name)));
            }
            Ok(only.name.clone())
        }
        _ => Err(Failure::Usage(several(given, &found))),
    }
}

fn meant(found: &FindSagasResponse, name: &str) -> String {
    match found.by.as_str() {
        "key" => format!("the business key of {name}"),
        "beginning" => format!("the beginning of {name}, or of its business key"),
        field => format!("the {field} of {name}"),
    }
}

fn several(given: &str, found: &FindSagasResponse) -> String {
    let names: Vec<&str> = found.sagas.iter().map(|saga| saga.name.as_str()).collect();
    let more = if found.more { " and others" } else { "" };
    format!("`{given}` is the {} of several sagas: {}{more}; name one of them", found.by, names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_proto::baton::saga::v1::Saga;

    #[test]
    fn several_sagas_are_named() {
        let saga = |name: &str| Saga { name: name.to_owned(), ..Saga::default() };
        let found =
            FindSagasResponse { sagas: vec![saga("sagas/a"), saga("sagas/b")], by: "item".to_owned(), more: true };
        let told = several("MUG", &found);
        assert_eq!(told, "`MUG` is the item of several sagas: sagas/a, sagas/b and others; name one of them");
        assert_eq!(meant(&found, "sagas/a"), "the item of sagas/a");
    }
}
