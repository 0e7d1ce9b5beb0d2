//! What a source of settings says, and what it is silent about.

use serde::{Deserialize, Deserializer};

/// What was said: a text of no length says nothing.
pub(super) fn said(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

/// Reads a section that has a key and no value as one that is not there.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a key without a value as one that has been said to be empty, where that is not to be as if it
/// had not been said.
pub(super) fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    null_is_default(deserializer).map(Some)
}

/// Settings of two sources, of which a file's win.
pub(super) trait Overlay {
    /// These settings where `file` is silent, else the file's.
    #[must_use]
    fn overlaid_by(self, file: Self) -> Self;
}

/// One value, whatever is in it.
impl<T> Overlay for Option<T> {
    fn overlaid_by(self, file: Self) -> Self {
        file.or(self)
    }
}

/// Lays structs over one another field by field; one that is left out does not compile.
macro_rules! field_by_field {
    ($($name:ident { $($field:ident),* $(,)? })*) => {$(
        impl Overlay for $name {
            fn overlaid_by(self, file: Self) -> Self {
                Self { $($field: self.$field.overlaid_by(file.$field)),* }
            }
        }
    )*};
}
pub(super) use field_by_field;
