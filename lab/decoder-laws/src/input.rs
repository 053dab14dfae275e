//! Turns a fuzzer's bytes into the parts a law asks for. What is missing reads as zeros, so that every input means something.

/// Bytes that are taken from the front.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.0.len().min(N);
        let (head, rest) = self.0.split_at(taken);
        self.0 = rest;
        let mut bytes = [0; N];
        bytes[..taken].copy_from_slice(head);
        bytes
    }

    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }

    /// A number of any size in few bytes: the first says how many follow.
    pub(crate) fn number(&mut self) -> i64 {
        match self.byte() {
            width @ 0..=0x7f => i64::from(width),
            0x80..=0xaf => i64::from(i16::from_le_bytes(self.array())),
            0xb0..=0xdf => i64::from(i32::from_le_bytes(self.array())),
            0xe0..=0xff => self.i64(),
        }
    }

    /// Up to 255 bytes, as many as the first byte says.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let wanted = usize::from(self.byte());
        let (head, rest) = self.0.split_at(self.0.len().min(wanted));
        self.0 = rest;
        head
    }

    /// Up to 255 bytes as text.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// Everything up to the next zero byte, which is dropped.
    pub(crate) fn until_zero(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let (head, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        head
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}
