//! Connections: HTTP/1.1, or HTTP/2 by prior knowledge; how many, how patient, and how they end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::Request};
use hyper::{body::Incoming, service::Service as _};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use super::ServeOptions;

/// How long a client may take to send the header of a request, its first one included; idle connections
/// are closed as late.
const HEADERS: Duration = Duration::from_secs(30);
/// Requests at once on one connection of HTTP/2.
const STREAMS: u32 = 100;
/// After an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until `stop` turns true, then ends those that there are.
pub(super) async fn accept(
    listener: TcpListener,
    app: Router,
    options: &ServeOptions,
    mut stop: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(options.connections.max(1)));
    let next = async || {
        let place = places.clone().acquire_owned().await.ok(); // never closed
        (listener.accept().await, place)
    };
    loop {
        // Without anybody left who could stop it, nobody does.
        let stopped = async {
            if stop.wait_for(|&stopped| stopped).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let (accepted, place) = tokio::select! {
            biased;
            () = stopped => break,
            next = next() => next,
        };
        match accepted {
            Ok((stream, _)) => {
                drop(tokio::spawn(serve(stream, app.clone(), graceful.watcher(), place)))
            }
            Err(e) => {
                tracing::warn!("a connection could not be accepted: {e}");
                sleep(PAUSE).await;
            }
        }
    }
    // Those that wait in line are connected already, as far as their clients know.
    while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
        drop(tokio::spawn(serve(stream, app.clone(), graceful.watcher(), None)));
    }
    drop(listener);
    if timeout(options.grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way after {:?}", options.grace);
    }
}

async fn serve(
    stream: TcpStream,
    app: Router,
    graceful: Watcher,
    _place: Option<OwnedSemaphorePermit>,
) {
    // A small answer must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(AtomicBool::new(false));
    let service = TowerToHyperService::new(app);
    let seen = asked.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        seen.store(true, Ordering::Relaxed);
        service.call(request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(HEADERS)
        .keep_alive_timeout(HEADERS);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let mut connection = std::pin::pin!(graceful.watch(connection));
    // Hyper's own limit begins when it knows the version.
    let silent = async {
        sleep(HEADERS).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = &mut connection => {
            if let Err(e) = ended {
                tracing::debug!("a connection ended: {e}");
            }
        }
        () = silent => {}
    }
}
