//! Where tests slow a run down, to see that no order of events loses an image.

/// Waits for a random time in tests that ask for it; else does nothing.
pub(super) fn block() {
    #[cfg(test)]
    std::thread::sleep(chosen::next());
}

/// The same where async code runs. Panics in tests, as a defect would, over `address`es that say so.
pub(super) async fn wait(_address: &str) {
    #[cfg(test)]
    {
        assert!(!_address.contains(chosen::PANICS), "as a defect would");
        tokio::time::sleep(chosen::next()).await;
    }
}

#[cfg(test)]
pub(super) mod chosen {
    use std::{
        hash::{BuildHasher, RandomState},
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    /// Downloads of addresses that contain this panic.
    pub(in crate::pipeline) const PANICS: &str = "panics";
    /// The longest pause, in microseconds; 0 for none.
    pub(in crate::pipeline) static LONGEST: AtomicU64 = AtomicU64::new(0);

    pub(super) fn next() -> Duration {
        match LONGEST.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            // Most are short and some long: it is the differences that change the order.
            longest => {
                let random = RandomState::new().hash_one(0);
                Duration::from_micros(((random >> 8) % longest) >> (random % 4 * 3))
            }
        }
    }
}
