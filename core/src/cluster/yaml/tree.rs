//! A parsed document, borrowed from its text.

use std::borrow::Cow;
use std::rc::Rc;

use super::scalar::{Plain, resolve};

/// One value of a document.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    /// Where it starts, from 1.
    pub(super) line: usize,
    pub(super) value: Value<'t>,
}

#[derive(Clone, Debug)]
pub(super) enum Value<'t> {
    Scalar(Scalar<'t>),
    List(Vec<Node<'t>>),
    Map(Vec<Entry<'t>>),
    /// What an anchor names.
    Shared(Rc<Node<'t>>),
    /// One entry of a map that an anchor names, merged into another.
    Member(Rc<Node<'t>>, usize),
}

#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub(super) key: Cow<'t, str>,
    pub(super) line: usize,
    pub(super) value: Node<'t>,
}

#[derive(Clone, Debug)]
pub(super) struct Scalar<'t> {
    pub(super) text: Cow<'t, str>,
    /// Quoted, or tagged as text: a string whatever it looks like.
    pub(super) is_text: bool,
}

impl<'t> Node<'t> {
    /// The value behind any number of aliases.
    pub(super) fn value(&self) -> &Value<'t> {
        let mut node = self;
        loop {
            match &node.value {
                Value::Shared(shared) => node = shared,
                Value::Member(map, index) => match map.entries().get(*index) {
                    Some(entry) => node = &entry.value,
                    None => return &Value::NULL,
                },
                Value::Scalar(_) | Value::List(_) | Value::Map(_) => return &node.value,
            }
        }
    }

    /// The entries of a map; none for anything else.
    pub(super) fn entries(&self) -> &[Entry<'t>] {
        match self.value() {
            Value::Map(entries) => entries,
            Value::Scalar(_) | Value::List(_) | Value::Shared(_) | Value::Member(..) => &[],
        }
    }
}

impl Value<'_> {
    pub(super) const NULL: Self = Self::Scalar(Scalar {
        text: Cow::Borrowed(""),
        is_text: false,
    });
}

impl Scalar<'_> {
    pub(super) fn resolve(&self) -> Plain {
        if self.is_text {
            Plain::Text
        } else {
            resolve(&self.text)
        }
    }
}
