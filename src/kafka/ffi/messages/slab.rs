//! Memory of values that librdkafka reads until it reports their delivery, so that it need not copy them.
//!
//! No slot is written, and no memory is freed, while librdkafka may read it.

use std::ptr::NonNull;

/// Slots of one size. They are used in order, and all reused when none of them is in use.
pub(crate) struct Slab {
    memory: NonNull<[u8]>,
    /// Bytes per slot.
    size: usize,
    /// The notes of all slots that were ever filled. Each slot still has the contents that its note describes.
    notes: Vec<Option<u32>>,
    placed: usize,
    /// The number of slots that are in use.
    held: usize,
}

pub(crate) struct SlabSlot<'a> {
    /// The contents: zeros, or the previous value.
    pub(crate) bytes: &'a mut [u8],
    /// The note of the previous value; `None` if the slot was never filled.
    pub(crate) note: &'a mut Option<u32>,
}

/// The place of a filled slot. Valid until the slot is released.
#[derive(Clone, Copy)]
pub(crate) struct Placed(NonNull<[u8]>);

// SAFETY: the memory is owned, and is not tied to a thread.
unsafe impl Send for Slab {}
// SAFETY: an address; code that reads from it ensures that it is valid.
unsafe impl Send for Placed {}

impl Slab {
    /// Allocates memory for at least one value of `size` bytes, and for as many as fit into `bytes`.
    pub(crate) fn new(size: usize, bytes: usize) -> Self {
        let slots = (bytes / size.max(1)).max(1);
        let memory = NonNull::from(Box::leak(vec![0; slots * size].into_boxed_slice()));
        Self { memory, size, notes: vec![None; slots], placed: 0, held: 0 }
    }

    /// Returns the next slot, which is then in use; `None` if all are in use.
    pub(crate) fn place(&mut self) -> Option<(Placed, SlabSlot<'_>)> {
        let at = self.placed;
        if at == self.notes.len() {
            return None;
        }
        // SAFETY: slot number `at` is inside the memory. Nothing reads or writes it, because it was not returned since
        // all slots were released. Only this slot is borrowed, because librdkafka may be reading others.
        let (place, bytes) = unsafe {
            let start = self.memory.cast::<u8>().add(at * self.size);
            let mut place = NonNull::slice_from_raw_parts(start, self.size);
            (place, place.as_mut())
        };
        self.placed += 1;
        self.held += 1;
        self.bring_next();
        Some((Placed(place), SlabSlot { bytes, note: &mut self.notes[at] }))
    }

    /// Prefetches the first bytes of the next slot into the processor's cache. They were last used some thousand
    /// messages ago, and waiting for them took a twelfth of the time per message.
    fn bring_next(&self) {
        #[cfg(target_arch = "x86_64")]
        if self.placed < self.notes.len() {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: the slot is inside the memory, and a prefetch only gives a hint.
            unsafe {
                let next = self.memory.cast::<i8>().add(self.placed * self.size);
                _mm_prefetch::<_MM_HINT_T0>(next.as_ptr());
            }
        }
    }

    /// Releases one slot, after librdkafka has reported its delivery or has rejected it. Returns whether no slot is in
    /// use.
    pub(crate) fn release(&mut self) -> bool {
        self.held = self.held.saturating_sub(1);
        if self.held == 0 {
            self.placed = 0;
        }
        self.held == 0
    }

    /// Bytes per slot.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // If slots are in use, the memory is leaked, because a client that could not be closed in time may be reading
        // it.
        if self.held == 0 {
            // SAFETY: leaked in `new`, and no address in it is still used.
            drop(unsafe { Box::from_raw(self.memory.as_ptr()) });
        }
    }
}

impl Placed {
    pub(crate) const fn as_ptr(self) -> *mut u8 {
        self.0.as_ptr().cast()
    }

    /// Its address, for tests.
    #[cfg(test)]
    pub(crate) fn address(self) -> usize {
        self.as_ptr().addr()
    }

    pub(crate) const fn len(self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_given_out_anew_only_when_all_are_released() {
        let mut slab = Slab::new(10, 35);
        let mut places = Vec::new();
        for number in 0..3_u8 {
            let (placed, slot) = slab.place().expect("three fit");
            assert_eq!((slot.bytes.len(), placed.len(), *slot.note), (10, 10, None));
            slot.bytes.fill(number);
            *slot.note = Some(number.into());
            assert!(!places.contains(&placed.as_ptr()));
            places.push(placed.as_ptr());
        }
        assert!(slab.place().is_none());
        assert_eq!((slab.release(), slab.release()), (false, false));
        assert!(slab.place().is_none(), "one is still held");
        assert!(slab.release());
        let (placed, slot) = slab.place().expect("all are free");
        assert!(placed.as_ptr() == places[0] && *slot.note == Some(0));
        assert_eq!(slab.place().expect("the second one").1.bytes, [1; 10]);
    }

    #[test]
    fn a_value_larger_than_the_room_has_a_slab_of_its_own() {
        let mut slab = Slab::new(100, 35);
        assert!(slab.place().is_some());
        assert!(slab.place().is_none());
    }
}
