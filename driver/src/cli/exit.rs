//! How the program ends when it can't do what it was asked.

/// Upstream's form for a usage error: `Error: ` first.
pub fn usage_error(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    format!("Error: {text}")
}
