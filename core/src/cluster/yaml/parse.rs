//! From text to tree, within bounds.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use granit_parser::{Event, Options, Parser, ScalarStyle, Tag};

use super::error::DecodeError;
use super::scalar::Plain;
use super::tree::{Entry, Node, Scalar, Value};

/// No document of ours nests deeper than 8; whatever ignored keys hold may.
const MAX_DEPTH: usize = 64;
/// Bytes; 10,000 shards take about 7 MB.
const MAX_TEXT: usize = 256 << 20;
/// Values written in one document; 10,000 shards take about 450,000.
const MAX_NODES: usize = 8_000_000;
/// Values that aliases may add to it.
const MAX_ALIASED: usize = 1_000_000;

/// The first document of `text`, which must be its only one. A scalar is never a document.
pub(in super::super) fn parse(text: &str) -> Result<Document<'_>, DecodeError> {
    if text.len() > MAX_TEXT {
        let problem = format!("the document is longer than {} MiB", MAX_TEXT >> 20);
        return Err(DecodeError::Syntax { line: 1, problem });
    }
    let mut options = Options::default();
    options.block_nesting_limit = MAX_DEPTH;
    options.flow_nesting_limit = MAX_DEPTH;
    options.simple_key_max_lookahead = 4096;
    options.set_emit_comments(false);
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            syntax(error.marker().line(), format!("not YAML: {}", error.info()))
        })?;
        builder.handle(event, span.start.line())?;
    }
    match builder.root {
        Some(root) if !is_null(&root) => Ok(Document { root }),
        _ => Err(DecodeError::Empty),
    }
}

/// A parsed document, which is not empty.
pub(in super::super) struct Document<'t> {
    pub(super) root: Node<'t>,
}

#[derive(Default)]
struct Builder<'t> {
    root: Option<Node<'t>>,
    open: Vec<Frame<'t>>,
    anchors: BTreeMap<usize, Anchored<'t>>,
    nodes: usize,
    aliased: usize,
}

struct Anchored<'t> {
    node: Rc<Node<'t>>,
    size: Size,
}

/// How large a value is with everything that its aliases stand for.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    depth: usize,
}

/// A list or map that has not ended.
struct Frame<'t> {
    line: usize,
    anchor: usize,
    size: Size,
    content: Content<'t>,
}

enum Content<'t> {
    List(Vec<Node<'t>>),
    Map {
        entries: Vec<Entry<'t>>,
        merged: Vec<Node<'t>>,
        key: Option<Key<'t>>,
    },
}

enum Key<'t> {
    Named(Cow<'t, str>, usize),
    Merge,
}

impl<'t> Builder<'t> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "another crate's enum, which may grow; nothing new is let through"
    )]
    fn handle(&mut self, event: Event<'t>, line: usize) -> Result<(), DecodeError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar {
                    is_text: is_text(style, tag.as_deref()),
                    text,
                };
                self.finish(anchor, line, Value::Scalar(scalar), Size::default())
            }
            Event::SequenceStart(_, anchor, _) => {
                self.start(anchor, line, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, _) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.start(anchor, line, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, line),
            // These carry no values.
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..) => Ok(()),
            // An unresolved alias, or what a later release of the parser may add.
            other => Err(syntax(line, format!("{other:?} is not understood"))),
        }
    }

    fn start(
        &mut self,
        anchor: usize,
        line: usize,
        content: Content<'t>,
    ) -> Result<(), DecodeError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(line));
        }
        if self.awaits_key() {
            let problem = "a list or map can't be a key: keys are text".to_owned();
            return Err(syntax(line, problem));
        }
        self.open.push(Frame {
            line,
            anchor,
            size: Size::default(),
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        let Some(frame) = self.open.pop() else {
            return Ok(());
        };
        let mut size = frame.size;
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map {
                mut entries,
                merged,
                ..
            } => {
                refuse_duplicates(&entries)?;
                size.nodes = size.nodes.saturating_add(merge(&mut entries, merged)?);
                Value::Map(entries)
            }
        };
        self.finish(frame.anchor, frame.line, value, size)
    }

    /// Puts a complete value where it belongs.
    fn finish(
        &mut self,
        anchor: usize,
        line: usize,
        value: Value<'t>,
        inside: Size,
    ) -> Result<(), DecodeError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let problem = format!("the document has more than {MAX_NODES} values");
            return Err(syntax(line, problem));
        }
        let size = Size {
            nodes: inside.nodes.saturating_add(1),
            depth: inside.depth + 1,
        };
        let mut node = Node { line, value };
        if anchor != 0 {
            let shared = Rc::new(node);
            node = Node {
                line,
                value: Value::Shared(shared.clone()),
            };
            self.anchors.insert(anchor, Anchored { node: shared, size });
        }
        self.place(node, size)
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), DecodeError> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            let problem = "this alias stands for a value that holds it".to_owned();
            return Err(syntax(line, problem));
        };
        let size = anchored.size;
        let value = Value::Shared(anchored.node.clone());
        self.aliased = self.aliased.saturating_add(size.nodes);
        if self.aliased > MAX_ALIASED {
            let problem = format!("aliases stand for more than {MAX_ALIASED} values");
            return Err(syntax(line, problem));
        }
        if self.open.len().saturating_add(size.depth) > MAX_DEPTH {
            return Err(too_deep(line));
        }
        self.place(Node { line, value }, size)
    }

    fn place(&mut self, node: Node<'t>, size: Size) -> Result<(), DecodeError> {
        let Some(frame) = self.open.last_mut() else {
            if self.root.is_some() {
                let problem = "a second document starts here; only one is read".to_owned();
                return Err(syntax(node.line, problem));
            }
            self.root = Some(node);
            return Ok(());
        };
        frame.size.nodes = frame.size.nodes.saturating_add(size.nodes);
        frame.size.depth = frame.size.depth.max(size.depth);
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map {
                entries,
                merged,
                key,
            } => match key.take() {
                None => *key = Some(as_key(&node)?),
                Some(Key::Merge) => merged.push(node),
                Some(Key::Named(key, line)) => entries.push(Entry {
                    key,
                    line,
                    value: node,
                }),
            },
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|frame| matches!(frame.content, Content::Map { key: None, .. }))
    }
}

/// A scalar as a key, spelled as Go's conversion to JSON spells it.
fn as_key<'t>(node: &Node<'t>) -> Result<Key<'t>, DecodeError> {
    let Value::Scalar(scalar) = node.value() else {
        let problem = "a list or map can't be a key: keys are text".to_owned();
        return Err(syntax(node.line, problem));
    };
    if !scalar.is_text && scalar.text == "<<" {
        return Ok(Key::Merge);
    }
    let key = match scalar.resolve() {
        Plain::Text => scalar.text.clone(),
        Plain::Bool(value) => Cow::Owned(value.to_string()),
        Plain::Integer(value) => Cow::Owned(value.to_string()),
        Plain::Float(value) => Cow::Owned(value.to_string()),
        Plain::Null => {
            let problem = "null can't be a key: quote it".to_owned();
            return Err(syntax(node.line, problem));
        }
    };
    Ok(Key::Named(key, node.line))
}

/// Adds what the maps behind `<<` have and `entries` lack; returns how much that is.
fn merge<'t>(entries: &mut Vec<Entry<'t>>, merged: Vec<Node<'t>>) -> Result<usize, DecodeError> {
    let mut added = 0;
    let mut present: BTreeSet<Cow<'t, str>> = if merged.is_empty() {
        BTreeSet::new()
    } else {
        entries.iter().map(|entry| entry.key.clone()).collect()
    };
    for node in merged {
        let maps = match node.value() {
            Value::List(items) => items.clone(),
            Value::Map(_) => vec![node],
            Value::Scalar(_) | Value::Shared(_) | Value::Member(..) => {
                let problem = "'<<' wants an alias of a map, or a list of them".to_owned();
                return Err(syntax(node.line, problem));
            }
        };
        for map in maps {
            let map = Rc::new(map);
            for (index, entry) in map.entries().iter().enumerate() {
                if present.insert(entry.key.clone()) {
                    added += 1;
                    entries.push(Entry {
                        key: entry.key.clone(),
                        line: entry.line,
                        value: Node {
                            line: entry.value.line,
                            value: Value::Member(map.clone(), index),
                        },
                    });
                }
            }
        }
    }
    Ok(added)
}

/// Go takes the last of several equal keys and forgets the others. In these documents that would
/// silently drop servers, namespaces or shards.
fn refuse_duplicates(entries: &[Entry<'_>]) -> Result<(), DecodeError> {
    let mut seen = BTreeSet::new();
    for entry in entries {
        if !seen.insert(entry.key.as_ref()) {
            let problem = format!("the key '{}' is given twice: remove one", entry.key);
            return Err(syntax(entry.line, problem));
        }
    }
    Ok(())
}

fn is_text(style: ScalarStyle, tag: Option<&Tag>) -> bool {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() => tag.is_yaml_core_schema_tag("str"),
        Some(_) => true,
        None => style != ScalarStyle::Plain,
    }
}

fn is_null(node: &Node<'_>) -> bool {
    matches!(node.value(), Value::Scalar(scalar) if scalar.resolve() == Plain::Null)
}

fn too_deep(line: usize) -> DecodeError {
    syntax(line, format!("values nest deeper than {MAX_DEPTH}"))
}

fn syntax(line: usize, problem: String) -> DecodeError {
    DecodeError::Syntax { line, problem }
}
