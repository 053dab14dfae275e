//! Journal blobs: what is read is written as the same again, also under another build's saga input.

use crate::input::Input;
use baton_orchestrator::store::row::journal::{decode, decode_entry, encode, journal_values};
use baton_sql::value::Row;
use bytes::Bytes;
use saga_core::event::{Event, JournalRecord};

/// Version and time of the entry, the saga's input, then the blob.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (version, at) = (input.number(), input.number());
    let saga_input = Bytes::copy_from_slice(input.bytes());
    let blob = input.rest();
    let read = decode(blob, &saga_input);
    if let Ok(record) = &read {
        let again = encode(record, &saga_input);
        assert_eq!(decode(&again, &saga_input).as_ref(), Ok(record), "written again it is the same record");
        assert!(
            !matches!(record, JournalRecord::Moved(Event::Wake)) || again.len() <= 8,
            "the commonest record takes next to nothing"
        );
    }
    let row = Row(vec![[7_u8; 16].into(), version.into(), at.into(), blob.into()]);
    match decode_entry(&row, &saga_input) {
        Ok(entry) => {
            assert_eq!(Ok(&entry.record), read.as_ref(), "a row holds the record of its blob");
            let again = Row(journal_values(&entry, &saga_input));
            assert_eq!(again.0[..3], row.0[..3], "columns are written as they were read");
            assert_eq!(decode_entry(&again, &saga_input), Ok(entry));
        }
        Err(_) => assert!(read.is_err() || version < 0, "only a bad blob or version spoils an entry"),
    }
}
