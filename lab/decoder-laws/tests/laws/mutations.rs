//! Small changes of the corpus, for machines without a fuzzer.

/// Longest mutation, bytes: laws are broken by short inputs or not at all.
const LONGEST: usize = 4_096;

/// Endless small changes of some files, drawn from a seed.
pub struct Mutations<'a> {
    state: u64,
    files: &'a [Vec<u8>],
}

impl<'a> Mutations<'a> {
    pub fn new(seed: u64, files: &'a [Vec<u8>]) -> Self {
        Self { state: seed, files }
    }

    /// The next number of SplitMix64, below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        const ODD: [u8; 8] = [0, 1, 0x0a, b'"', 0x7f, 0x80, 0xff, b'0'];
        if self.below(2) == 0 { ODD[self.below(ODD.len())] } else { self.below(256) as u8 }
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        match self.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.byte(),
            2 => bytes.insert(at, self.byte()),
            3 => {
                let end = (at + self.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + self.below(24)).min(bytes.len());
                let copied = bytes[at..end].to_vec();
                let to = self.below(bytes.len() + 1);
                bytes.splice(to..to, copied);
            }
            _ => {
                let files = self.files;
                let other = &files[self.below(files.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
        }
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let files = self.files;
        let mut bytes = files[self.below(files.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        Some(bytes)
    }
}
