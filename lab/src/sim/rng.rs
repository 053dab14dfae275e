//! The simulator's own source of chance: the same seed and stream give the same numbers for ever, on every machine.
//!
//! xoshiro256** seeded by splitmix64, both by Blackman and Vigna (public domain). Not `rand`: its generators may change
//! between versions, and a seed in a bug report must not.

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

impl Rng {
    /// The stream called `stream` of a seed. Streams of one seed know nothing of each other, so that a fault that is
    /// switched off leaves the draws of all others as they were.
    #[must_use]
    pub fn new(seed: u64, stream: &str) -> Self {
        // FNV-1a over the name, then splitmix64 spreads it.
        let name = stream
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut state = seed ^ name;
        Self([(); 4].map(|()| split_mix(&mut state)))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias of a remainder of 64 bits is far below anything that could be noticed here.
        self.bits() % bound.max(1)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `ppm` of a million draws.
    pub fn chance(&mut self, ppm: u32) -> bool {
        self.below(1_000_000) < u64::from(ppm)
    }

    /// An index of a list of `len` entries, which is not empty.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// A UUIDv7 with these milliseconds; its low 62 bits are drawn.
    pub fn uuid_v7(&mut self, millis: u64) -> [u8; 16] {
        let (high, low) = (self.bits(), self.bits());
        let bits = (u128::from(millis & 0xffff_ffff_ffff) << 80)
            | (0x7 << 76)
            | (u128::from(high & 0xfff) << 64)
            | (0b10 << 62)
            | u128::from(low >> 2);
        bits.to_be_bytes()
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::Rng;

    /// A seed in a bug report means the same run for ever.
    #[test]
    fn the_numbers_of_a_seed_are_pinned() {
        let mut rng = Rng::new(1, "a");
        let numbers = [rng.bits(), rng.bits(), rng.bits()];
        let mut again = Rng::new(1, "a");
        assert_eq!(numbers, [again.bits(), again.bits(), again.bits()]);
        assert_ne!(Rng::new(1, "b").bits(), numbers[0]);
        assert_ne!(Rng::new(2, "a").bits(), numbers[0]);
        let spread = (0..1000).filter(|_| rng.chance(250_000)).count();
        assert!((180..320).contains(&spread), "{spread}");
        let id = uuid::Uuid::from_bytes(rng.uuid_v7(5));
        assert_eq!(id.get_version_num(), 7);
    }
}
