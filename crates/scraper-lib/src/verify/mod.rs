//! Are our vectors those of an endpoint, or of a recording?

mod answer;
mod check;
mod compare;
mod endpoint;
mod form;
mod golden;
mod sample;

pub use check::Check;
pub use compare::{Comparison, Fit, Precision, Reference};
pub use endpoint::{Endpoint, EndpointError};
pub use form::RequestForm;
pub use golden::{Golden, GoldenError};
pub use sample::{Candidate, Sample};
