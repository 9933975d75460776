//! A connection that can be used from everywhere.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use postgres::{Client, Config, config::Host};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::StoreError;
use crate::store::causes::causes;
use crate::threads::HINT;

/// `postgres://user:password@host/database`, as libpq understands it (`sslmode` included).
#[derive(Clone)]
pub struct PostgresUrl(Config);

impl PostgresUrl {
    /// Whether `text` wants to be one. Slips count (`postgres:/u:p@h`, `postgresql//h`, `host=h
    /// password=p`): taken for a file name, they would be shown with their password.
    pub fn is_meant(text: &str) -> bool {
        let lower = text.trim_start().to_ascii_lowercase();
        let scheme = ["postgresql", "postgres", "postgre", "psql", "pgsql", "pg"];
        let rest = scheme.iter().find_map(|scheme| lower.strip_prefix(scheme));
        rest.is_some_and(|rest| rest.starts_with([':', '+'])
            || rest.starts_with("//")
            || (rest.starts_with('/') && rest.contains('@')))
            // The parts of libpq's other form.
            || lower.split_whitespace().any(|word| {
                ["host=", "hostaddr=", "password=", "dbname="].iter().any(|name| word.starts_with(name))
            })
            // An address of something else.
            || (lower.contains("://") && lower.contains('@'))
    }
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Never with the text: it may hold a password.
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err("it looks like the address of a database, which has the form \
                        postgres://user:password@host/database (a file whose name looks like that is \
                        given as ./name)"
                .into());
        }
        let reason = |e: postgres::Error| {
            format!(
                "not a usable Postgres address: {}; the form is \
                 postgres://user:password@host/database, with %40 for an @ in the password",
                // The rest of the reason is a part of the address.
                causes(&e).split('`').next().unwrap_or_default().trim_end()
            )
        };
        let mut config: Config = text.parse().map_err(reason)?;
        config.application_name("clip-scraper");
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(15));
        }
        // Notices within a minute or so that the server is gone.
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(Duration::from_secs(60));
        Ok(PostgresUrl(config))
    }
}

impl PostgresUrl {
    /// Servers, ports, database, and who asks: not the password.
    pub(super) fn identity(&self) -> String {
        let PostgresUrl(config) = self;
        format!(
            "{:?} {:?} {:?} {:?} {:?}",
            config.get_hosts(),
            config.get_hostaddrs(),
            config.get_ports(),
            config.get_dbname(),
            config.get_user()
        )
    }
}

/// Without the password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.0.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".into(),
        };
        write!(f, "postgres://{host}/{}", self.0.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The client blocks, which is not allowed where async code runs; so it is only used from threads
/// of its own. Starting one costs microseconds, a round trip to the server much more.
pub(super) struct Connection(Option<Client>);

impl Connection {
    pub(super) fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let fail = |reason: String| StoreError::Connect { url: url.to_string(), reason };
        let _ = rustls::crypto::ring::default_provider().install_default(); // may be set already
        let tls = ClientConfig::with_platform_verifier().map_err(|e| fail(e.to_string()))?;
        let client = outside(|| url.0.connect(MakeRustlsConnect::new(tls)))?
            .map_err(|e| fail(causes(&e)))?;
        let mut connection = Connection(Some(client));
        connection.with(|client| {
            // Names of others do not get in the way, and text is ordered by its bytes.
            Ok(client.batch_execute("SET search_path = clip_scraper, public")?)
        })?;
        Ok(connection)
    }

    /// Runs `work` with the client.
    pub(super) fn with<T: Send>(
        &mut self,
        work: impl FnOnce(&mut Client) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let Some(client) = &mut self.0 else {
            return Err(StoreError::Postgres("the connection is closed".into()));
        };
        outside(|| work(client))?
    }
}

/// Runs `work` on a thread where blocking is allowed.
fn outside<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, StoreError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work).map_err(no_thread)?;
        let panicked = |_| StoreError::Postgres("the client panicked; please report this".into());
        thread.join().map_err(panicked)
    })
}

/// Why there is no thread.
pub(super) fn no_thread(e: std::io::Error) -> StoreError {
    StoreError::Postgres(format!("no thread can be started for the database: {e}{HINT}"))
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            // Says good-bye to the server, which blocks too. Without a thread to do so on, the end of
            // the process says it.
            let slot = Arc::new(Mutex::new(Some(client)));
            let take = |slot: &Mutex<Option<_>>| {
                slot.lock().unwrap_or_else(PoisonError::into_inner).take()
            };
            let given = slot.clone();
            match thread::Builder::new().spawn(move || drop(take(&given))) {
                Ok(thread) => drop(thread.join()),
                Err(_) => std::mem::forget(take(&slot)),
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
