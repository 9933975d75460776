//! What a database says of an error.

/// The error with what is behind it, which its own text leaves out.
pub(super) fn causes(e: &postgres::Error) -> String {
    if let Some(db) = e.as_db_error() {
        let detail = db.detail().map_or_else(String::new, |detail| format!(" ({detail})"));
        return format!("{}{detail}", db.message());
    }
    let mut text = e.to_string();
    let mut source = std::error::Error::source(e);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        source = cause.source();
    }
    text
}
