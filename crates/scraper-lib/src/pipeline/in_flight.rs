//! Images whose bytes are being embedded, and others with the same bytes that wait for them, so that
//! nothing is embedded twice.
//!
//! An image that waits goes to the writer like every other, behind the product it belongs to: so its
//! product is stored before it has a result. It must not be handed over past the channel. (It once
//! was, and results of images whose product was still on its way were lost.)

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    fetch::Validators,
    store::{ImageHash, ImageKey},
};

/// An image with known bytes.
pub(super) struct Image {
    pub(super) key: ImageKey,
    pub(super) hash: ImageHash,
    pub(super) bytes: u64,
    pub(super) validators: Validators,
}

/// Whether bytes have a vector now; `Err` holds kind and message of the refusal.
pub(super) type Fate = Result<(), (String, String)>;

/// What is known of bytes that somebody works on.
#[derive(Default)]
struct Work {
    /// Images that wait for it and are still on their way to the writer.
    on_their_way: usize,
    /// Images that wait for it, at the writer.
    waiting: Vec<Image>,
    /// The result, once it is committed.
    fate: Option<Fate>,
}

#[derive(Default)]
pub(super) struct InFlight(Mutex<HashMap<ImageHash, Work>>);

impl InFlight {
    /// Whether the caller is the first with these bytes and has to work on them. Else it must send
    /// its image to the writer, which calls [`InFlight::join`].
    pub(super) fn claim(&self, hash: &ImageHash) -> bool {
        let mut works = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match works.get_mut(hash) {
            Some(work) => {
                work.on_their_way += 1;
                false
            }
            None => {
                works.insert(*hash, Work::default());
                true
            }
        }
    }

    /// An image that waits has come to the writer: gives it back with the result, if that is
    /// committed; else [`InFlight::finish`] will.
    pub(super) fn join(&self, image: Image) -> Option<(Image, Fate)> {
        let mut works = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = image.hash;
        let work = works.entry(hash).or_default();
        work.on_their_way = work.on_their_way.saturating_sub(1);
        let Some(fate) = work.fate.clone() else {
            work.waiting.push(image);
            return None;
        };
        if work.on_their_way == 0 {
            works.remove(&hash);
        }
        Some((image, fate))
    }

    /// The result is committed: the images that waited for it.
    pub(super) fn finish(&self, hash: &ImageHash, fate: &Fate) -> Vec<Image> {
        let mut works = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(work) = works.get_mut(hash) else { return Vec::new() };
        work.fate = Some(fate.clone());
        let waiting = std::mem::take(&mut work.waiting);
        if work.on_their_way == 0 {
            works.remove(hash);
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(position: u32) -> Image {
        let (source, product, address) = (String::new(), "p".to_owned(), "a".to_owned());
        let key = ImageKey { source, product, position, address };
        Image { key, hash: [7; 32], bytes: 1, validators: Validators::default() }
    }

    #[test]
    fn who_waits_has_the_result_once_and_only_at_the_writer() {
        let works = InFlight::default();
        let hash = [7; 32];
        assert!(works.claim(&hash) && !works.claim(&hash) && !works.claim(&hash));
        assert!(works.join(image(1)).is_none(), "no result yet");
        let done = works.finish(&hash, &Ok(()));
        assert_eq!(done.iter().map(|i| i.key.position).collect::<Vec<_>>(), [1]);
        // The second one comes after the result; a third one claims meanwhile.
        assert!(!works.claim(&hash));
        assert!(
            works
                .join(image(2))
                .is_some_and(|(image, fate)| { image.key.position == 2 && fate.is_ok() })
        );
        assert!(works.join(image(3)).is_some());
        assert!(works.claim(&hash), "all have come: the bytes are forgotten");
    }
}
