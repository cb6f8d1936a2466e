//! A pool of word-sized places, one per thread: where small values live that cannot be stored as bits.
//!
//! A slot may be freed by another thread than the one that allocated it; it then joins the other pool. A
//! committer frees as many slots as it allocates, so the pools neither run dry nor fill.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;

use crate::sync::{IS_MODEL, per_thread};

/// The size of a slot in bytes.
pub(crate) const SIZE: usize = size_of::<usize>();
/// The alignment of a slot in bytes.
pub(crate) const ALIGN: usize = align_of::<usize>();

const LAYOUT: Layout = Layout::new::<usize>();
/// More than this many are given back to the allocator.
const KEEP: usize = 4096;

struct Pool(Vec<*mut u8>);

impl Drop for Pool {
    fn drop(&mut self) {
        for slot in self.0.drain(..) {
            // SAFETY: every slot of a pool came from `alloc` with this layout.
            unsafe { dealloc(slot, LAYOUT) };
        }
    }
}

per_thread! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool(Vec::new())) };
}

/// Gives out a slot.
pub(crate) fn allocate() -> *mut u8 {
    // When the thread is being torn down its pool is gone.
    let pooled = POOL.try_with(|pool| pool.borrow_mut().0.pop()).ok().flatten();
    pooled.unwrap_or_else(|| {
        // SAFETY: the layout is that of a `usize`, not of size zero.
        let slot = unsafe { alloc(LAYOUT) };
        if slot.is_null() { handle_alloc_error(LAYOUT) } else { slot }
    })
}

/// Takes a slot back.
///
/// # Safety
/// `slot` came from [`allocate`], is freed once, and is not used any more.
pub(crate) unsafe fn free(slot: *mut u8) {
    let kept = POOL.try_with(|pool| {
        let pool = &mut pool.borrow_mut().0;
        // A model never uses a slot twice, so that it can tell of an access that comes too late.
        let room = pool.len() < KEEP && !IS_MODEL;
        if room {
            pool.push(slot);
        }
        room
    });
    if !kept.unwrap_or(false) && !IS_MODEL {
        // SAFETY: every slot came from `alloc` with this layout; the caller gives it up.
        unsafe { dealloc(slot, LAYOUT) };
    }
}
