//! Markdown that fits where it goes.

/// GitHub shows no step summary larger than this
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).
pub const STEP_LIMIT: usize = 1 << 20;

/// `markdown`, or as many of its lines as fit into `room` bytes, with a word about the rest. `None`
/// where not even its beginning fits.
pub fn fit(markdown: String, room: usize) -> Option<String> {
    if markdown.len() <= room {
        return Some(markdown);
    }
    // For the closing line.
    let room = room.checked_sub(128)?;
    let mut kept = String::new();
    let mut lines = markdown.split_inclusive('\n');
    let mut left_out = 0usize;
    for line in lines.by_ref() {
        if kept.len() + line.len() > room {
            left_out = 1;
            break;
        }
        kept += line;
    }
    left_out += lines.count();
    if kept.is_empty() {
        return None;
    }
    if kept.matches("<details>").count() > kept.matches("</details>").count() {
        kept += "\n</details>\n";
    }
    Some(kept + &format!("\n{left_out} more lines are left out: the summary was too long.\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said() {
        let text = format!("### Run\n\n<details>\n\n{}</details>\n", "| a row |\n".repeat(1000));
        assert_eq!(fit(text.clone(), text.len()), Some(text.clone()));
        let short = fit(text.clone(), 2000).unwrap();
        assert!(short.len() <= 2000 && short.ends_with("too long.\n\n"), "{short}");
        assert_eq!(short.matches("</details>").count(), 1);
        assert_eq!(fit(text, 100), None);
    }
}
