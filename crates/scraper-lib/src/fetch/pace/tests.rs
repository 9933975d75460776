use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

fn state(rate: f64, most: usize) -> State {
    Pace::new(rate, most, PATIENCE).state.into_inner().unwrap()
}

fn quick(state: &mut State, now: Instant) {
    state.learn(Ended::Answered(Duration::from_millis(20)), now);
}

#[test]
fn requests_keep_their_distance_after_a_burst() {
    let (mut s, start) = (state(10.0, 100), Instant::now());
    s.limit = 100.0;
    let mut sent = 0;
    for ms in 0..2000 {
        while matches!(s.admit(start + Duration::from_millis(ms), false), Admission::Now) {
            sent += 1;
        }
    }
    assert!((20..=23).contains(&sent), "10 per second and a small burst: {sent} in 2 s");
}

#[test]
fn concurrency_follows_what_the_host_bears() {
    let (mut s, now) = (state(0.0, 8), Instant::now());
    for _ in 0..60 {
        quick(&mut s, now);
    }
    assert!(s.limit > 7.9, "quick answers: {}", s.limit);
    for _ in 0..30 {
        s.learn(Ended::Answered(Duration::from_millis(400)), now);
    }
    assert!(s.limit < 4.0, "slow answers: {}", s.limit);
    s.learn(Ended::Failed, now);
    s.learn(Ended::Busy(Duration::from_secs(1)), now);
    s.learn(Ended::Busy(Duration::from_secs(1)), now);
    assert_eq!(s.limit, 1.0);
    for _ in 0..200 {
        quick(&mut s, now);
    }
    assert!(s.limit > 7.9 && s.slowdown == 1.0, "it recovers: {} {}", s.limit, s.slowdown);
}

#[test]
fn a_busy_host_is_left_alone_for_the_time_it_names_and_then_asked_less() {
    let (mut s, now) = (state(0.0, 8), Instant::now());
    assert!(matches!(s.admit(now, false), Admission::Now));
    s.learn(Ended::Busy(Duration::from_secs(7)), now);
    match s.admit(now + Duration::from_secs(2), false) {
        Admission::At(wait) => assert_eq!(wait, Duration::from_secs(5)),
        _ => panic!("it asked to be left alone"),
    }
    let later = now + Duration::from_secs(8);
    assert!(matches!(s.admit(later, false), Admission::Now));
    assert!(s.distance() >= SLOW_STEP, "slower than before");
}

#[test]
fn a_crawl_delay_means_one_by_one() {
    let pace = Pace::new(30.0, 8, PATIENCE);
    pace.crawl_delay(Duration::from_secs(2));
    let (mut s, now) = (pace.state.into_inner().unwrap(), Instant::now());
    assert!(matches!(s.admit(now, false), Admission::Now));
    assert!(matches!(s.admit(now, false), Admission::WhenFreed));
    quick(&mut s, now);
    match s.admit(now, false) {
        Admission::At(wait) => assert_eq!(wait, Duration::from_secs(2)),
        _ => panic!("too early"),
    }
}

#[tokio::test]
async fn a_host_that_never_answers_counts_as_down() {
    let pace = Arc::new(Pace::new(0.0, 4, PATIENCE));
    for _ in 0..DOWN_AFTER {
        pace.acquire().await.unwrap().ended(Ended::Failed);
    }
    assert!(pace.acquire().await.is_err());
}

#[tokio::test]
async fn what_waits_for_a_host_fails_when_it_is_set_aside() {
    let pace = Arc::new(Pace::new(0.0, 1, Duration::ZERO));
    let first = pace.acquire().await.unwrap();
    let waiting = tokio::spawn({
        let pace = pace.clone();
        async move { pace.acquire().await.map(drop) }
    });
    tokio::task::yield_now().await;
    first.ended(Ended::Busy(Duration::from_secs(3600)));
    let end = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert!(matches!(end, Err(Closed::Aside(_))), "{end:?}");
    assert!(pace.in_trouble());
}
