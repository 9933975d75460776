//! Bytes of addresses, as the scraper gets them.

use pyo3::{prelude::*, types::PyBytes};
use scraper_lib::{
    Error,
    fetch::{Base, Caps, FetchOptions, Guard, Location},
};
use tokio::task::JoinSet;

use crate::{failure::Failure, workers::Workers};

/// Fetches politely (robots.txt, a pace per host) and, unless told otherwise, from public addresses
/// only.
#[pyclass(module = "clip_everywhere._native", frozen)]
#[derive(Debug)]
pub(crate) struct Fetcher {
    fetcher: scraper_lib::fetch::Fetcher,
    workers: Workers,
    base: Base,
}

#[pymethods]
impl Fetcher {
    /// `trusted`: whoever calls has written the addresses; they may name files and private hosts.
    #[new]
    fn new(py: Python<'_>, trusted: bool, allow_private: bool, max_bytes: u64) -> PyResult<Self> {
        let guard = if trusted || allow_private { Guard::any() } else { Guard::public() };
        let caps = Caps { bytes: max_bytes, ..Caps::default() };
        let options = FetchOptions { caps, guard, robots: !trusted, ..FetchOptions::default() };
        let fetcher = scraper_lib::fetch::Fetcher::with(options);
        let fetcher = fetcher.map_err(|e| Failure::from(e).exception(py))?;
        let base = if trusted { Base::user() } else { Base::Web };
        Ok(Fetcher { fetcher, workers: Workers::new(1), base })
    }

    /// Per address its bytes, or the exception that says why not.
    fn fetch(&self, py: Python<'_>, addresses: Vec<String>) -> PyResult<Vec<Py<PyAny>>> {
        let threads = self.workers.threads().map_err(|e| Failure::from(e).exception(py))?;
        let fetched = py.detach(|| threads.runtime.block_on(self.all(addresses)));
        let object = |fetched: Result<Vec<u8>, Failure>| match fetched {
            Ok(bytes) => PyBytes::new(py, &bytes).into_any().unbind(),
            Err(failure) => failure.exception(py).into_value(py).into_any(),
        };
        Ok(fetched.into_iter().map(object).collect())
    }
}

impl Fetcher {
    async fn all(&self, addresses: Vec<String>) -> Vec<Result<Vec<u8>, Failure>> {
        let mut results: Vec<_> = addresses.iter().map(|_| Err(Failure::panicked())).collect();
        let mut tasks = JoinSet::new();
        for (place, address) in addresses.into_iter().enumerate() {
            let (fetcher, base) = (self.fetcher.clone(), self.base.clone());
            tasks.spawn(async move {
                let fetch = async {
                    let location = Location::parse(&address, &base)?;
                    Ok::<_, Error>(fetcher.fetch(&location).await?.bytes)
                };
                (place, fetch.await.map_err(Failure::from))
            });
        }
        while let Some(ended) = tasks.join_next().await {
            // A task that panicked leaves what stands in its place.
            if let Ok((place, result)) = ended
                && let Some(slot) = results.get_mut(place)
            {
                *slot = result;
            }
        }
        results
    }
}
