//! From a node to a typed value, with the place of what did not fit.
//!
//! A serde `Deserializer` over the tree. Its errors carry the innermost place that was being read.
//! A value known only while running is read by [`Text`](super::Text) alone: whoever asks for a string
//! or a number is told that it must be known when planning.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};

use super::{Diagnostic, Key, Node, NodeValue, Span, codes};

/// Reads a typed value.
///
/// # Errors
///
/// The first thing that did not fit, at its place. [`super::Conform`] finds all of them beforehand.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    T::deserialize(At(node)).map_err(|misfit| {
        let span = misfit.span.unwrap_or(node.span);
        Diagnostic::error(misfit.code, misfit.message, span, "")
    })
}

/// What did not fit, and where once that is known.
#[derive(Debug)]
struct Misfit {
    code: &'static str,
    message: String,
    span: Option<Span>,
}

impl Misfit {
    fn late(node: &Node) -> Self {
        Self {
            code: codes::LATE_VALUE,
            message: "must be known when planning".into(),
            span: Some(node.span),
        }
    }

    fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            code: codes::REFUSED_VALUE,
            message: message.to_string(),
            span: None,
        }
    }
}

#[derive(Clone, Copy)]
struct At<'a>(&'a Node);

impl<'de> At<'de> {
    /// Reads a scalar or collection as what it is; never something late.
    fn known<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0.value {
            NodeValue::Late(_) => Err(Misfit::late(self.0)),
            _ => de::Deserializer::deserialize_any(self, visitor),
        }
    }
}

macro_rules! known {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.known(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for At<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let node = self.0;
        let read = match &node.value {
            NodeValue::Null => visitor.visit_unit(),
            NodeValue::Bool(value) => visitor.visit_bool(*value),
            NodeValue::Integer(value) => match u64::try_from(*value) {
                Ok(natural) => visitor.visit_u64(natural),
                Err(_) => visitor.visit_i64(*value),
            },
            NodeValue::Float(value) => visitor.visit_f64(*value),
            NodeValue::String(text) => visitor.visit_borrowed_str(text),
            NodeValue::Late(text) => read_late(text, visitor),
            NodeValue::Sequence(list) => visitor.visit_seq(Items(list.iter())),
            NodeValue::Mapping(entries) => visitor.visit_map(Entries {
                rest: entries.iter(),
                value: None,
            }),
        };
        read.map_err(|misfit: Misfit| misfit.at(node.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0.value {
            NodeValue::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let read = visitor.visit_newtype_struct(self);
        read.map_err(|misfit: Misfit| misfit.at(self.0.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let read = match &self.0.value {
            NodeValue::String(text) => visitor.visit_enum(Variant {
                name: text,
                content: None,
            }),
            NodeValue::Mapping(entries) if entries.len() == 1 => visitor.visit_enum(Variant {
                name: &entries[0].0.value,
                content: Some(&entries[0].1),
            }),
            NodeValue::Late(_) => Err(Misfit::late(self.0)),
            _ => Err(de::Error::custom("expected one word or a map with one key")),
        };
        read.map_err(|misfit| misfit.at(self.0.span))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.known(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.known(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.known(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.known(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    known! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32
        deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map deserialize_identifier
    }
}

/// In the form in which [`super::Text`] is written to JSON.
fn read_late<'de, V: Visitor<'de>>(text: &super::Text, visitor: V) -> Result<V::Value, Misfit> {
    let refused = |error: serde_json::Error| <Misfit as de::Error>::custom(error);
    let form = serde_json::to_value(text).map_err(refused)?;
    de::Deserializer::deserialize_any(form, visitor).map_err(refused)
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(node) = self.0.next() else {
            return Ok(None);
        };
        let read = seed.deserialize(At(node));
        read.map(Some).map_err(|misfit| misfit.at(node.span))
    }
}

struct Entries<'a> {
    rest: std::slice::Iter<'a, (Key, Node)>,
    value: Option<&'a Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let read = seed.deserialize(key.value.as_str().into_deserializer());
        read.map(Some).map_err(|misfit: Misfit| misfit.at(key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some(node) = self.value.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(At(node)).map_err(|misfit| misfit.at(node.span))
    }
}

struct Variant<'a> {
    name: &'a str,
    content: Option<&'a Node>,
}

impl<'de> de::EnumAccess<'de> for Variant<'de> {
    type Error = Misfit;
    type Variant = Inner<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), Misfit> {
        let name = seed.deserialize(self.name.into_deserializer())?;
        Ok((name, Inner(self.content)))
    }
}

/// The content under a variant's name, if there is any.
struct Inner<'a>(Option<&'a Node>);

impl<'a> Inner<'a> {
    fn content(self) -> Result<At<'a>, Misfit> {
        let missing = || de::Error::custom("this word needs a value: write it as a map with one key");
        self.0.map(At).ok_or_else(missing)
    }
}

impl<'de> de::VariantAccess<'de> for Inner<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.0.map(|node| (&node.value, node.span)) {
            None | Some((NodeValue::Null, _)) => Ok(()),
            Some((_, span)) => {
                let misfit: Misfit = de::Error::custom("this word takes no value");
                Err(misfit.at(span))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        let at = self.content()?;
        seed.deserialize(at).map_err(|misfit| misfit.at(at.0.span))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.content()?.known(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.content()?.known(visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::text::{Diagnostics, Millis, Piece, Sources, Text, yaml};

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    enum Target {
        Nowhere,
        Http(String),
        Tcp { host: String, port: u16 },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        count: Option<u32>,
        wait: Option<Millis>,
        target: Target,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        text: Option<Text>,
    }

    fn node(text: &str) -> Node {
        let mut sources = Sources::default();
        let id = sources.add("a.yaml", text);
        let mut found = Diagnostics::default();
        let mut nodes = yaml::load(&sources, id, &mut found);
        assert!(found.is_empty(), "{}", found.render(&sources, false));
        nodes.remove(0)
    }

    fn refused(text: &str) -> String {
        let error = from_node::<Sample>(&node(text)).unwrap_err();
        let (start, end) = (error.span().start as usize, error.span().end as usize);
        format!("{} at {:?}", error.message, &text[start..end])
    }

    #[test]
    fn a_typed_value_is_read() {
        let sample: Sample = from_node(&node(
            "{name: a, count: 3, wait: 1m, target: {tcp: {host: h, port: 1}}, labels: {app: web}, text: t}",
        ))
        .unwrap();
        let expected = Sample {
            name: "a".into(),
            count: Some(3),
            wait: Some(Millis(60_000)),
            target: Target::Tcp {
                host: "h".into(),
                port: 1,
            },
            labels: BTreeMap::from([("app".into(), "web".into())]),
            text: Some(Text::known("t")),
        };
        assert_eq!(sample, expected);
        assert_eq!(from_node::<Target>(&node("nowhere")).unwrap(), Target::Nowhere);
        assert_eq!(
            from_node::<Target>(&node("http: x")).unwrap(),
            Target::Http("x".into())
        );
        assert_eq!(from_node::<Option<i8>>(&node("[]")).unwrap_err().code, "L035");
        assert_eq!(from_node::<Vec<i8>>(&node("[-1]")).unwrap(), [-1]);
        assert_eq!(from_node::<f64>(&node("3")).unwrap().to_bits(), 3.0_f64.to_bits());
        assert!(from_node::<()>(&node("{a: 1}")).is_err());
    }

    #[test]
    fn what_does_not_fit_is_named_at_its_innermost_place() {
        insta::assert_snapshot!(refused("{name: a, target: nowhere, count: x}"), @r#"invalid type: string "x", expected u32 at "x""#);
        insta::assert_snapshot!(refused("{name: a, target: {tcp: {host: h, port: 70000}}}"), @r#"invalid value: integer `70000`, expected u16 at "70000""#);
        insta::assert_snapshot!(refused("{name: a, target: tcp}"), @r#"this word needs a value: write it as a map with one key at "tcp""#);
        insta::assert_snapshot!(refused("{name: a, target: {nowhere: 1}}"), @r#"this word takes no value at "1""#);
        insta::assert_snapshot!(refused("{name: a, target: nowhere, wait: 5 moons}"), @r#"`5 moons` is not a duration; write it like 30s, 15m, 1h30m or 250ms at "5 moons""#);
        insta::assert_snapshot!(refused("{name: a}"), @r#"missing field `target` at "{name: a}""#);
        insta::assert_snapshot!(refused("{name: a, target: nowhere, xyz: 1}"), @r#"unknown field `xyz`, expected one of `name`, `count`, `wait`, `target`, `labels`, `text` at "xyz""#);
        insta::assert_snapshot!(refused("{name: a, target: nowhere, labels: {a: [1]}}"), @r#"invalid type: sequence, expected a string at "[1]""#);
    }

    #[test]
    fn only_a_text_may_be_known_while_running() {
        let text = Text::new(vec![Piece::Namespace("shop".into())]);
        let late = Node {
            value: NodeValue::Late(text.clone()),
            span: Span::default(),
        };
        assert_eq!(from_node::<Text>(&late).unwrap(), text);
        assert_eq!(from_node::<Option<Text>>(&late).unwrap(), Some(text));
        for error in [
            from_node::<String>(&late).map(drop),
            from_node::<u8>(&late).map(drop),
            from_node::<Target>(&late).map(drop),
            from_node::<BTreeMap<String, u8>>(&late).map(drop),
        ] {
            assert_eq!(error.unwrap_err().code, "L029");
        }
    }
}
