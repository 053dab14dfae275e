//! Work that mostly needs no waiting, without a task for it.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

/// Does what mostly needs no waiting, and leaves the rest of it, if there is any, to a task.
pub(crate) fn at_once_or_later(mut work: BoxFuture<'static, ()>, later: impl FnOnce(BoxFuture<'static, ()>)) {
    if (&mut work).now_or_never().is_none() {
        later(work);
    }
}
