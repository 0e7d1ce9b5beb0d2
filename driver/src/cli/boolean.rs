//! Booleans as Go's flag packages read them.

/// Reads `true`, `1`, `t`, `false`, `0`, `f` and their capitals.
pub fn parse(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("use true or false".to_owned()),
    }
}
