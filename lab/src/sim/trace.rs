//! What happened, in order: a digest always, readable lines on demand.

use super::life::Us;

/// Lines kept at most; a trace longer than this is cut at its end and says so.
const MAX_LINES: usize = 200_000;

/// A trace.
#[derive(Debug, Default)]
pub struct Trace {
    digest: u64,
    notes: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps readable lines if `readable`.
    #[must_use]
    pub fn new(readable: bool) -> Self {
        Self { digest: 0xcbf2_9ce4_8422_2325, notes: 0, lines: readable.then(Vec::new) }
    }

    /// One event. `tag` and the numbers go into the digest, the text only into the lines.
    pub fn note(&mut self, now: Us, tag: &'static str, numbers: &[u64], text: impl FnOnce() -> String) {
        self.notes += 1;
        self.mix(now);
        for byte in tag.bytes() {
            self.mix(u64::from(byte));
        }
        for number in numbers {
            self.mix(*number);
        }
        if let Some(lines) = &mut self.lines
            && lines.len() < MAX_LINES
        {
            let (seconds, micros) = (now / 1_000_000, now % 1_000_000);
            lines.push(format!("{seconds:>6}.{micros:06}  {tag:<12} {}", text()));
        }
    }

    fn mix(&mut self, number: u64) {
        self.digest = (self.digest ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }

    /// The digest of everything so far.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How many events.
    #[must_use]
    pub fn notes(&self) -> u64 {
        self.notes
    }

    /// The lines, if they were kept.
    #[must_use]
    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
