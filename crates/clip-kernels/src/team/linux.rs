//! Linux wakes two threads at once on one core at times, and leaves them there, with another core idle, for
//! longer than a text takes.

use std::{
    cell::RefCell,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicI32, Ordering},
    },
};

use libc::pid_t;

/// Larger pools are left alone: among many cores the system finds idle ones, and each thread costs calls.
const MOST: usize = 4;

thread_local! {
    /// The other threads of the pool that this thread is of, as far as they have met. None of them ends
    /// while this one is at work in the pool.
    static MET: RefCell<Vec<pid_t>> = const { RefCell::new(Vec::new()) };
}

/// The threads of a pool that meet in one pass.
#[derive(Debug)]
pub(crate) struct Team {
    threads: usize,
    /// Whose pass it is.
    leader: pid_t,
    /// Those that came, by their number in the pool.
    came: [AtomicI32; MOST],
}

impl Team {
    /// Of a pool of so many threads; to be called on the one whose pass it is.
    pub(crate) fn new(threads: usize) -> Self {
        Team { threads, leader: this_thread(), came: Default::default() }
    }

    /// Runs `wake`, which wakes the others, and has the system wake those that are known elsewhere than on
    /// this thread's core. Once they are awake they may go everywhere again.
    ///
    /// Does no more than `wake` where system calls are filtered.
    pub(crate) fn wake(&self, wake: impl FnOnce()) {
        // One thread at a time: another would take cores that are left for this moment for all there are.
        static MOVING: Mutex<()> = Mutex::new(());
        let try_it = self.threads <= MOST && unfiltered();
        let moving = if try_it { MOVING.try_lock().ok() } else { None };
        let mut moved = Vec::new();
        if let (Some(_), Some(here)) = (&moving, this_core()) {
            let off = |id: &pid_t| Some((*id, keep_off(*id, here, self.threads)?));
            MET.with_borrow(|met| moved.extend(met.iter().filter_map(off)));
        }
        wake();
        for (id, cores) in moved {
            cores.set(id);
        }
    }

    /// Says that this thread, number `index` of the pool, has come.
    pub(crate) fn join(&self, index: usize) {
        if let Some(slot) = self.came.get(index) {
            slot.store(this_thread(), Ordering::Relaxed);
            meet(self.leader);
        }
    }

    /// To be called when the pass ends, on the thread whose it is.
    pub(crate) fn part(&self) {
        let came = self.came.iter().map(|slot| slot.load(Ordering::Relaxed));
        came.filter(|id| *id != 0).for_each(meet);
    }
}

fn meet(id: pid_t) {
    MET.with_borrow_mut(|met| {
        if !met.contains(&id) {
            met.push(id);
        }
    });
}

fn this_thread() -> pid_t {
    // SAFETY: without preconditions.
    unsafe { libc::gettid() }
}

fn this_core() -> Option<usize> {
    // SAFETY: without preconditions.
    usize::try_from(unsafe { libc::sched_getcpu() }).ok()
}

/// Whether this process may use every system call, as far as is known: a filter (that of a container, or of a
/// service manager) may end a process for one that it does not expect.
fn unfiltered() -> bool {
    static UNFILTERED: OnceLock<bool> = OnceLock::new();
    *UNFILTERED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        mode.is_some_and(|mode| mode.trim() == "0")
    })
}

/// Keeps a thread off core `here`, and returns the cores that it had; not where there are fewer than `threads`.
fn keep_off(id: pid_t, here: usize, threads: usize) -> Option<Cores> {
    let all = Cores::of(id)?;
    let others = all.without(here)?;
    (all.count() >= threads && others.set(id)).then_some(all)
}

/// Cores that a thread may run on.
#[derive(Clone, Copy)]
struct Cores(libc::cpu_set_t);

impl Cores {
    /// Those of a thread; none on a machine with more of them than such a set has room for.
    fn of(id: pid_t) -> Option<Self> {
        // SAFETY: zeros are an empty set, and the pointer is to a set of this size.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            (libc::sched_getaffinity(id, size_of_val(&set), &mut set) == 0).then_some(Cores(set))
        }
    }

    fn has(&self, core: usize) -> bool {
        // SAFETY: the index lies in the set.
        core < 8 * size_of_val(&self.0) && unsafe { libc::CPU_ISSET(core, &self.0) }
    }

    /// Without one of them; none if it is not of them.
    fn without(mut self, core: usize) -> Option<Self> {
        self.has(core).then(|| {
            // SAFETY: the index lies in the set.
            unsafe { libc::CPU_CLR(core, &mut self.0) };
            self
        })
    }

    fn count(&self) -> usize {
        // SAFETY: without preconditions.
        usize::try_from(unsafe { libc::CPU_COUNT(&self.0) }).unwrap_or(0)
    }

    /// Makes them those of a thread, and says whether the system did.
    fn set(&self, id: pid_t) -> bool {
        // SAFETY: the pointer is to a set of this size.
        unsafe { libc::sched_setaffinity(id, size_of_val(&self.0), &self.0) == 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_sleeps_wakes_elsewhere_and_is_not_bound() {
        let this = this_thread();
        let all = Cores::of(this).unwrap();
        if all.count() < 2 || !unfiltered() {
            return;
        }
        let (ask, asked) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                tell.send((this_thread(), this_core())).unwrap();
                while asked.recv().is_ok() {
                    tell.send((this_thread(), this_core())).unwrap();
                }
            });
            let (id, _) = told.recv().unwrap();
            for _ in 0..20 {
                let here = this_core().unwrap();
                // This thread stays on its core.
                let others = (0..8 * size_of_val(&all.0)).filter(|core| *core != here);
                let one = others.fold(all, |cores, core| cores.without(core).unwrap_or(cores));
                assert!(one.set(this));
                let kept_off = keep_off(id, here, 2).unwrap();
                assert!(!Cores::of(id).unwrap().has(here));
                ask.send(()).unwrap();
                assert_ne!(told.recv().unwrap().1, Some(here));
                assert!(kept_off.set(id) && all.set(this));
                assert_eq!(Cores::of(id).unwrap().count(), all.count(), "bound");
            }
            drop(ask);
        });
    }

    #[test]
    fn threads_may_go_everywhere_once_they_are_awake() {
        let this = this_thread();
        let all = Cores::of(this).unwrap();
        std::thread::scope(|scope| {
            let (ask, asked) = mpsc::channel::<()>();
            let (tell, told) = mpsc::channel();
            scope.spawn(move || {
                tell.send(this_thread()).unwrap();
                asked.recv().unwrap_err();
            });
            let id = told.recv().unwrap();
            meet(id);
            let cores = || Cores::of(id).unwrap().count();
            Team::new(MOST + 1).wake(|| assert_eq!(cores(), all.count()));
            // Perhaps kept off a core while it is woken, and not after.
            Team::new(2).wake(|| ());
            assert_eq!(cores(), all.count());
            drop(ask);
        });
    }
}
