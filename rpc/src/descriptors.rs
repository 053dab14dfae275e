//! The messages and services that an installation knows: the engine's own, and those of the sagas and participants that it is
//! wired with. One value, made where the parts are put together, serves reflection, HTTP and the display of payloads.

use prost_reflect::{DescriptorError, DescriptorPool};

/// Descriptors of messages and services. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Descriptors {
    sets: Vec<&'static [u8]>,
    pool: DescriptorPool,
}

impl Descriptors {
    /// The engine's own.
    #[must_use]
    pub fn engine() -> Self {
        let none = Self { sets: Vec::new(), pool: DescriptorPool::new() };
        // The bytes are what the build wrote, and every test that serves anything decodes them.
        none.with(baton_proto::DESCRIPTORS).expect("descriptors that this build wrote")
    }

    /// With those of an encoded `FileDescriptorSet` beside them. It holds what its files import; of files that have one path
    /// the first is taken.
    ///
    /// # Errors
    /// If the set does not decode, or names something a second time.
    pub fn with(mut self, set: &'static [u8]) -> Result<Self, DescriptorError> {
        self.pool.decode_file_descriptor_set(set)?;
        self.sets.push(set);
        Ok(self)
    }

    /// As encoded sets.
    #[must_use]
    pub fn sets(&self) -> &[&'static [u8]] {
        &self.sets
    }

    /// As types, to find messages and services by their names.
    #[must_use]
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }
}

#[cfg(test)]
mod tests {
    use super::Descriptors;

    #[test]
    fn what_is_known_may_be_added_again_and_garbage_may_not() {
        let engine = Descriptors::engine();
        assert!(engine.pool().get_service_by_name("baton.saga.v1.SagaService").is_some());
        let twice = engine.with(baton_proto::DESCRIPTORS).expect("the same files");
        assert_eq!(twice.sets().len(), 2);
        assert!(twice.with(b"\xff\xff").is_err());
    }
}
