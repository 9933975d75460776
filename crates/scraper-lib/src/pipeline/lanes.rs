//! Images on their way, host by host: one that waits long for its host keeps no other waiting.

use std::collections::{HashMap, VecDeque};

use tokio::task::{Id, JoinSet};

/// Downloads of one host that are begun; its pace lets far fewer run.
const PER_HOST: usize = 64;
/// Images of hosts in trouble may be so many times those of all others: they fail soon, and what
/// comes behind them in a source must not wait for that.
const TROUBLED: usize = 16;

/// Tasks that run, and others that wait because enough of their host run.
pub(super) struct Lanes<T> {
    tasks: JoinSet<()>,
    /// Host and item of each that runs.
    begun: HashMap<Id, (String, T)>,
    running: HashMap<String, usize>,
    waiting: HashMap<String, VecDeque<T>>,
    /// Of all that wait.
    queued: usize,
    most: usize,
}

impl<T: Clone> Lanes<T> {
    /// At most `most` images are in them, running and waiting ones.
    pub(super) fn new(most: usize) -> Self {
        Lanes {
            tasks: JoinSet::new(),
            begun: HashMap::new(),
            running: HashMap::new(),
            waiting: HashMap::new(),
            queued: 0,
            most: most.max(1),
        }
    }

    /// Whether another image may come. Those of hosts that are `in_trouble` take no room of others.
    pub(super) fn has_room(&self, in_trouble: impl Fn(&str) -> bool) -> bool {
        let all = self.tasks.len() + self.queued;
        if all < self.most || all >= self.most.saturating_mul(TROUBLED) {
            return all < self.most;
        }
        let waiting = |host| self.waiting.get(host).map_or(0, VecDeque::len);
        let stuck = self.running.iter().filter(|(host, _)| in_trouble(host));
        let stuck: usize = stuck.map(|(host, running)| running + waiting(host)).sum();
        all - stuck < self.most
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Begins `work` on `item`, at once or when it is the host's turn.
    pub(super) fn add<F>(&mut self, host: String, item: T, work: impl FnOnce(T) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.running.get(&host).copied().unwrap_or(0) >= PER_HOST {
            self.queued += 1;
            self.waiting.entry(host).or_default().push_back(item);
        } else {
            self.begin(host, item, work);
        }
    }

    fn begin<F>(&mut self, host: String, item: T, work: impl FnOnce(T) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        *self.running.entry(host.clone()).or_default() += 1;
        let task = self.tasks.spawn(work(item.clone()));
        self.begun.insert(task.id(), (host, item));
    }

    /// Waits until one ends, and begins the next of its host. Waits for ever if there is none.
    /// Gives back the item whose work panicked.
    pub(super) async fn next<F>(&mut self, work: impl FnOnce(T) -> F) -> Option<T>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (id, panicked) = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, false),
            Some(Err(e)) => (e.id(), true),
            None => std::future::pending().await,
        };
        let (host, item) = self.begun.remove(&id)?;
        let next = self.waiting.get_mut(&host).and_then(VecDeque::pop_front);
        let left = self.running.get(&host).copied().unwrap_or(0).saturating_sub(1);
        match left {
            0 => self.running.remove(&host),
            left => self.running.insert(host.clone(), left),
        };
        match next {
            Some(next) => {
                self.queued -= 1;
                self.begin(host, next, work);
            }
            None => {
                self.waiting.remove(&host);
            }
        }
        panicked.then_some(item)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn what_panics_is_given_back() {
        let mut lanes = Lanes::new(10);
        let work = |item: u32| async move { assert_ne!(item, 2, "on purpose") };
        for item in 1..=3 {
            lanes.add("host".into(), item, work);
        }
        let mut panicked = Vec::new();
        while !lanes.is_empty() {
            panicked.extend(lanes.next(work).await);
        }
        assert_eq!(panicked, [2]);
    }

    #[tokio::test]
    async fn a_host_that_hangs_keeps_no_other_waiting() {
        let done = Arc::new(AtomicUsize::new(0));
        let work = |hangs: bool| {
            let done = done.clone();
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                done.fetch_add(1, Ordering::SeqCst);
            }
        };
        let mut lanes = Lanes::new(1000);
        for _ in 0..500 {
            lanes.add("slow".into(), true, work);
        }
        for _ in 0..200 {
            lanes.add("quick".into(), false, work);
        }
        assert!(lanes.has_room(|_| false) && lanes.queued == 500 - PER_HOST + 200 - PER_HOST);
        for _ in 0..200 {
            lanes.next(work).await;
        }
        assert_eq!(done.load(Ordering::SeqCst), 200);
        assert_eq!(lanes.running.len(), 1, "what has ended is forgotten");
        for _ in 0..500 {
            lanes.add("third".into(), true, work);
        }
        assert!(!lanes.has_room(|_| false));
        assert!(lanes.has_room(|host| host == "slow"), "a host in trouble keeps no room");
        assert!(!lanes.has_room(|host| host == "quick"));
    }
}
