//! Walks a tree by protobuf's JSON rules, and knows the key that it is at.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::error::DecodeError;
use super::parse::Document;
use super::scalar::{Plain, is_float};
use super::tree::{Node, Scalar, Value};

/// A value of a document, and how it was reached.
#[derive(Clone, Copy)]
pub(in super::super) struct Cursor<'a> {
    node: &'a Node<'a>,
    path: Path<'a>,
}

#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl<'t> Document<'t> {
    /// Its outermost value.
    pub(in super::super) fn root(&self) -> Cursor<'_> {
        Cursor {
            node: &self.root,
            path: Path::Root,
        }
    }
}

impl<'a> Cursor<'a> {
    /// The fields of a message that are set; null means that one isn't.
    pub(in super::super) fn fields(
        &self,
    ) -> Result<impl Iterator<Item = (&str, Cursor<'_>)>, DecodeError> {
        self.refuse_two_spellings()?;
        Ok(self.entries()?.filter(|(_, at)| !at.is_null()))
    }

    /// The keys and values of a map.
    pub(in super::super) fn entries(
        &self,
    ) -> Result<impl Iterator<Item = (&str, Cursor<'_>)>, DecodeError> {
        let Value::Map(entries) = self.node.value() else {
            return Err(self.wanted("a mapping of keys to values"));
        };
        Ok(entries.iter().map(|entry| {
            let path = Path::Field(&self.path, &entry.key);
            let node = &entry.value;
            (entry.key.as_ref(), Cursor { node, path })
        }))
    }

    /// The items of a list.
    pub(in super::super) fn items(&self) -> Result<impl Iterator<Item = Cursor<'_>>, DecodeError> {
        let Value::List(items) = self.node.value() else {
            return Err(self.wanted("a list"));
        };
        Ok(items.iter().enumerate().map(|(index, node)| Cursor {
            node,
            path: Path::Item(&self.path, index),
        }))
    }

    /// Every item of a list, read by `read`.
    pub(in super::super) fn list<T>(
        &self,
        read: impl FnMut(Cursor<'_>) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.items()?.map(read).collect()
    }

    /// A string.
    pub(in super::super) fn text(&self) -> Result<&'a str, DecodeError> {
        match self.scalar() {
            Some(scalar) if scalar.resolve() == Plain::Text => Ok(&scalar.text),
            _ => Err(self.wanted("text")),
        }
    }

    /// A boolean.
    pub(in super::super) fn boolean(&self) -> Result<bool, DecodeError> {
        match self.scalar().map(Scalar::resolve) {
            Some(Plain::Bool(value)) => Ok(value),
            _ => Err(self.wanted("true or false")),
        }
    }

    /// A whole number of 32 bits without a sign, quoted or not.
    pub(in super::super) fn uint32(&self) -> Result<u32, DecodeError> {
        self.number()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| self.wanted("a whole number from 0 to 4294967295"))
    }

    /// A whole number of 64 bits, quoted or not.
    pub(in super::super) fn int64(&self) -> Result<i64, DecodeError> {
        self.number()
            .and_then(|number| i64::try_from(number).ok())
            .ok_or_else(|| self.wanted("a whole number of 64 bits"))
    }

    /// The variant that `of_number` or `of_name` knows; its default where neither does.
    pub(in super::super) fn variant<T: Default>(
        &self,
        of_number: impl Fn(i128) -> Option<T>,
        of_name: impl Fn(&str) -> Option<T>,
    ) -> Result<T, DecodeError> {
        if let Some(number) = self.number() {
            return Ok(of_number(number).unwrap_or_default());
        }
        Ok(of_name(self.text()?).unwrap_or_default())
    }

    /// What is wrong with this value.
    pub(in super::super) fn error(&self, problem: impl Into<String>) -> DecodeError {
        DecodeError::Key {
            line: self.node.line,
            key: self.path.to_string(),
            problem: problem.into(),
        }
    }

    /// `hash_range` beside `hashRange` is a key given twice.
    fn refuse_two_spellings(&self) -> Result<(), DecodeError> {
        let entries = self.node.entries();
        if !entries.iter().any(|entry| entry.key.contains('_')) {
            return Ok(());
        }
        let mut spellings = BTreeSet::new();
        for entry in entries {
            if !spellings.insert(entry.key.replace('_', "").to_lowercase()) {
                let problem = format!(
                    "the key '{}' is given in two spellings: remove one",
                    entry.key
                );
                return Err(self.error(problem));
            }
        }
        Ok(())
    }

    fn number(&self) -> Option<i128> {
        let scalar = self.scalar()?;
        match scalar.resolve() {
            Plain::Integer(number) => Some(number),
            Plain::Float(number) => whole(number),
            Plain::Text => quoted_number(&scalar.text),
            Plain::Null | Plain::Bool(_) => None,
        }
    }

    fn is_null(&self) -> bool {
        self.scalar().map(Scalar::resolve) == Some(Plain::Null)
    }

    fn scalar(&self) -> Option<&'a Scalar<'a>> {
        match self.node.value() {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Map(_) | Value::Shared(_) | Value::Member(..) => None,
        }
    }

    fn wanted(&self, what: &str) -> DecodeError {
        let found = match self.node.value() {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) | Value::Shared(_) | Value::Member(..) => "a mapping".to_owned(),
            Value::Scalar(scalar) => describe(scalar),
        };
        self.error(format!("{what} is wanted here, not {found}"))
    }
}

fn describe(scalar: &Scalar<'_>) -> String {
    let text: String = scalar.text.chars().take(40).collect();
    match scalar.resolve() {
        Plain::Null => "null".to_owned(),
        Plain::Bool(_) => format!("the boolean {text} (quote it if it is text)"),
        Plain::Integer(_) | Plain::Float(_) => {
            format!("the number {text} (quote it if it is text)")
        }
        Plain::Text => format!("'{text}'"),
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the document"),
            Self::Field(Path::Root, key) => f.write_str(key),
            Self::Field(parent, key) => write!(f, "{parent}.{key}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Strings that occur often, each kept once.
#[derive(Default)]
pub(in super::super) struct Strings(BTreeSet<Arc<str>>);

impl Strings {
    /// The one copy of `text`.
    pub(in super::super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.0.get(text) {
            return shared.clone();
        }
        let shared: Arc<str> = Arc::from(text);
        self.0.insert(shared.clone());
        shared
    }
}

fn quoted_number(text: &str) -> Option<i128> {
    let starts_like_one = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    if !starts_like_one {
        return None;
    }
    text.parse().ok().or_else(|| {
        is_float(text)
            .then(|| text.parse().ok())
            .flatten()
            .and_then(whole)
    })
}

/// A float as the whole number that it is, if it is one that a float holds exactly.
fn whole(number: f64) -> Option<i128> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i128)
}
