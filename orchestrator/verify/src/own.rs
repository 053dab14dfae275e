//! What the owner of a saga knows beside the engine: values of types that the engine does not know.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;

/// Values beside the engine's evidence, one of each type: what the owner of a saga knows of it.
#[derive(Debug, Default)]
pub struct Own(BTreeMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Own {
    /// With one value.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.0.insert(TypeId::of::<T>(), Box::new(value));
        self
    }

    /// The value of this type.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// The value of this type, made if there is none.
    pub fn entry<T: Any + Send + Sync + Default>(&mut self) -> &mut T {
        let value = self.0.entry(TypeId::of::<T>()).or_insert_with(|| Box::<T>::default());
        // It was put in under its own type's id.
        value.downcast_mut().expect("a value of the type that is its key")
    }
}
