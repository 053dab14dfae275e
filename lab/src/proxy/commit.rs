//! Finds COMMIT in what a client says to MariaDB: packets of a three-byte length, a sequence number and a body.

/// COM_QUERY and its text.
const COMMIT: &[u8] = b"\x03COMMIT";

/// Follows the packets of one connection, however they are cut into chunks.
#[derive(Clone, Debug, Default)]
pub struct CommitSpotter {
    header: [u8; 4],
    header_read: usize,
    body_left: usize,
    body: [u8; COMMIT.len()],
    body_read: usize,
    body_length: usize,
}

impl CommitSpotter {
    /// Feeds the next chunk; true if a COMMIT ended in it.
    pub fn feed(&mut self, mut bytes: &[u8]) -> bool {
        let mut found = false;
        while let Some((first, rest)) = bytes.split_first() {
            if self.body_left == 0 {
                self.header[self.header_read] = *first;
                self.header_read += 1;
                bytes = rest;
                if self.header_read == self.header.len() {
                    let [a, b, c, _sequence] = self.header;
                    self.body_length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
                    (self.body_left, self.body_read, self.header_read) = (self.body_length, 0, 0);
                }
                continue;
            }
            let taken = self.body_left.min(bytes.len());
            let wanted = (COMMIT.len() - self.body_read).min(taken);
            self.body[self.body_read..self.body_read + wanted].copy_from_slice(&bytes[..wanted]);
            self.body_read += wanted;
            self.body_left -= taken;
            bytes = &bytes[taken..];
            found |= self.body_left == 0 && self.body_length == COMMIT.len() && self.body == COMMIT;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(body.len()).expect("a short packet");
        [&[length, 0, 0, sequence], body].concat()
    }

    #[test]
    fn it_is_found_however_the_bytes_are_cut() {
        let stream = [packet(0, b"\x03BEGIN"), packet(0, COMMIT), packet(0, b"\x0e")].concat();
        for size in 1..stream.len() {
            let mut spotter = CommitSpotter::default();
            let found = stream.chunks(size).filter(|chunk| spotter.feed(chunk)).count();
            assert_eq!(found, 1, "in chunks of {size}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_not_found() {
        let others: [&[u8]; 4] =
            [b"\x03COMMITS", b"\x03ROLLBACK", b"\x16COMMIT", b"\x03INSERT '\x07\x00\x00\x00\x03COMMIT'"];
        let mut spotter = CommitSpotter::default();
        assert!(!spotter.feed(&others.map(|body| packet(0, body)).concat()));
        assert!(spotter.feed(&packet(0, COMMIT)));
    }
}
