//! Logs read for what must never stand in them: card numbers, bearer tokens, configured secrets, and panics.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Longest piece of a log that is looked at at once; a longer line is looked at in overlapping pieces.
const PIECE: usize = 64 * 1024;

/// Files of one scan at most.
const MOST_FILES: usize = 10_000;

/// What a piece of a log holds that it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leak {
    /// A number that passes for a card's.
    CardNumber,
    /// `Bearer` and a token.
    BearerToken,
    /// A secret of the configuration, as it is.
    Secret,
    /// A panic's message.
    Panic,
}

impl Leak {
    /// For people. The leaked text itself is never shown again.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CardNumber => "a card number",
            Self::BearerToken => "a bearer token",
            Self::Secret => "a configured secret",
            Self::Panic => "a panic",
        }
    }
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Files read.
    pub files: usize,
    /// Lines read.
    pub lines: usize,
    /// Where there is what.
    pub leaks: Vec<(String, Leak)>,
}

/// Reads every file below `directory` (or the one file it is). `secrets` shorter than six bytes are left out: they would be
/// found in any text.
///
/// # Errors
/// If a file cannot be read, or there are more than ten thousand.
pub fn scan(directory: &Path, secrets: &[String]) -> std::io::Result<Scan> {
    let secrets: Vec<&[u8]> = secrets.iter().map(String::as_bytes).filter(|secret| secret.len() >= 6).collect();
    let mut scan = Scan::default();
    let mut open: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        } else {
            scan.files += 1;
            if scan.files > MOST_FILES {
                return Err(std::io::Error::other("more than ten thousand log files"));
            }
            let file = BufReader::with_capacity(PIECE, std::fs::File::open(&path)?);
            scan_file(&mut scan, &path.display().to_string(), file, &secrets)?;
        }
    }
    Ok(scan)
}

fn scan_file(scan: &mut Scan, name: &str, mut file: impl BufRead, secrets: &[&[u8]]) -> std::io::Result<()> {
    let mut number = 0;
    let mut line = Vec::new();
    loop {
        let ended = {
            let bytes = file.fill_buf()?;
            if bytes.is_empty() && line.is_empty() {
                return Ok(());
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let take = end.map_or(bytes.len(), |end| end + 1);
            line.extend_from_slice(&bytes[..take]);
            let ended = end.is_some() || bytes.is_empty();
            file.consume(take);
            ended
        };
        if !ended && line.len() < PIECE {
            continue;
        }
        for leak in leaks(&line, secrets) {
            scan.leaks.push((format!("{name}, line {}", number + 1), leak));
        }
        if ended {
            number += 1;
            scan.lines += 1;
            line.clear();
        } else {
            // What straddles two pieces is in both.
            line.drain(..line.len() - 1024);
        }
    }
}

/// What one line holds, each kind once.
#[must_use]
pub fn leaks(line: &[u8], secrets: &[&[u8]]) -> Vec<Leak> {
    let mut found = Vec::new();
    if has_card_number(line) {
        found.push(Leak::CardNumber);
    }
    if has_bearer_token(line) {
        found.push(Leak::BearerToken);
    }
    if secrets.iter().any(|secret| contains(line, secret)) {
        found.push(Leak::Secret);
    }
    if contains(line, b"panicked at ") {
        found.push(Leak::Panic);
    }
    found
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// 13 to 19 digits, perhaps in groups of four, that stand alone, begin as cards do and pass Luhn's check. Digits inside an
/// identifier are none: a UUID or a time in microseconds must not raise an alarm.
fn has_card_number(line: &[u8]) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut index = 0;
    while index < line.len() {
        let begins =
            line[index].is_ascii_digit() && (index == 0 || !(word(line[index - 1]) || line[index - 1] == b'-'));
        if !begins {
            index += 1;
            continue;
        }
        let mut digits = Vec::new();
        let mut end = index;
        while end < line.len() {
            match line[end] {
                digit if digit.is_ascii_digit() => digits.push(digit - b'0'),
                // A separator only between groups of four.
                b' ' | b'-'
                    if !digits.is_empty()
                        && digits.len().is_multiple_of(4)
                        && line.get(end + 1).is_some_and(u8::is_ascii_digit) => {}
                _ => break,
            }
            end += 1;
        }
        let alone = line.get(end).is_none_or(|byte| !word(*byte));
        if alone && is_card(&digits) {
            return true;
        }
        index = end.max(index + 1);
    }
    false
}

fn is_card(digits: &[u8]) -> bool {
    if !(13..=19).contains(&digits.len()) {
        return false;
    }
    let prefix = digits[..4].iter().fold(0_u32, |prefix, digit| prefix * 10 + u32::from(*digit));
    let issued = matches!(prefix,
        4000..=4999 | 5100..=5599 | 2221..=2720 | 3400..=3499 | 3700..=3799 | 6011 | 6500..=6599 | 3528..=3589
        | 6200..=6299 | 9400..=9499);
    let luhn: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match u32::from(*digit) * if place % 2 == 1 { 2 } else { 1 } {
            twice @ 10.. => twice - 9,
            once => once,
        })
        .sum();
    issued && luhn.is_multiple_of(10)
}

/// `Bearer ` and at least eight characters of a token.
fn has_bearer_token(line: &[u8]) -> bool {
    let lower = line.to_ascii_lowercase();
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let starts = lower.windows(7).enumerate().filter(|(_, window)| window == b"bearer ").map(|(at, _)| at + 7);
    starts.into_iter().any(|start| line[start..].iter().take_while(|byte| token(byte)).count() >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<Leak> {
        leaks(line.as_bytes(), &[b"imp-secret-1"])
    }

    #[test]
    fn what_must_not_stand_in_a_log_is_found() {
        // Test numbers of the card networks, put together so that no scanner takes this file for a leak.
        let visa = ["4111", "1111", "1111", "1111"];
        assert_eq!(found(&format!("card={}", visa.concat())), [Leak::CardNumber]);
        assert_eq!(found(&format!("card {}.", visa.join(" "))), [Leak::CardNumber]);
        assert_eq!(found(&format!("card {}.", visa.join("-"))), [Leak::CardNumber]);
        assert_eq!(found("Authorization: Bearer abcdefgh12"), [Leak::BearerToken]);
        assert_eq!(found("key imp-secret-1 used"), [Leak::Secret]);
        assert_eq!(found("thread 'main' panicked at src/main.rs:1:1"), [Leak::Panic]);
    }

    #[test]
    fn what_only_looks_like_it_is_left_alone() {
        for line in [
            "at 1764000000123456 us",
            "saga 4111111111111111-0000",
            "id a4111111111111111",
            "4111111111111112",
            "0199a111-1111-7111-8111-411111111111",
            "the bearer of this",
            "amounts 4111 1111 and 1111 1111",
        ] {
            assert_eq!(found(line), [], "{line}");
        }
    }

    #[test]
    fn long_lines_are_read_in_pieces_and_nothing_between_two_is_missed() {
        let text = format!("{}Bearer abcdefgh12{}\nok\n", "x".repeat(PIECE - 10), "y".repeat(PIECE));
        let mut scan = Scan::default();
        scan_file(&mut scan, "log", BufReader::with_capacity(PIECE, text.as_bytes()), &[]).unwrap();
        assert!(scan.leaks.contains(&("log, line 1".to_owned(), Leak::BearerToken)) && scan.lines == 2, "{scan:?}");
    }
}
