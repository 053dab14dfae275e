//! Sound evidence passes; each planted lie is found by the law that is there for it. The engine's laws too: a saga that is
//! sound needs an owner.

mod at_large;
mod of_histories;
mod of_sagas;
