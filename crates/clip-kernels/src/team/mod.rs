//! Which cores the threads of a small pool wake up on.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::Team;

/// Leaves it to the system.
#[cfg(not(target_os = "linux"))]
pub(crate) struct Team;

#[cfg(not(target_os = "linux"))]
impl Team {
    pub(crate) fn new(_threads: usize) -> Self {
        Team
    }

    pub(crate) fn wake(&self, wake: impl FnOnce()) {
        wake();
    }

    pub(crate) fn join(&self, _index: usize) {}

    pub(crate) fn part(&self) {}
}
