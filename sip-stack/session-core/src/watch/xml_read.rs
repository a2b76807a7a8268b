//! Reading XML that peers publish: elements by their local names, and text. Whatever is beyond that (document types, entities of its own,
//! nesting without end) is refused rather than understood.

/// Elements that may be open at a time.
const MAX_DEPTH: usize = 32;

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// An element begins; its name without a prefix.
    Start(&'a str),
    /// It ends.
    End(&'a str),
    /// Text, with what was escaped as it was meant.
    Text(String),
}

/// Text that is no document that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// True for a document that can be read to its end.
#[cfg(test)]
pub(crate) fn is_well_formed(text: &str) -> bool {
    read(text).is_ok()
}

/// The pieces of a document, in order.
pub(super) fn read(text: &str) -> Result<Vec<Piece<'_>>, Malformed> {
    let mut pieces = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut is_over = false;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        put_text(&mut pieces, &open, before)?;
        if let Some(after) = tag.strip_prefix("<!--") {
            rest = after.split_once("-->").ok_or(Malformed)?.1;
        } else if let Some(after) = tag.strip_prefix("<![CDATA[") {
            let (text, after) = after.split_once("]]>").ok_or(Malformed)?;
            if open.is_empty() {
                return Err(Malformed);
            }
            pieces.push(Piece::Text(text.to_owned()));
            rest = after;
        } else if let Some(after) = tag.strip_prefix("<?") {
            rest = after.split_once("?>").ok_or(Malformed)?.1;
        } else if let Some(after) = tag.strip_prefix("</") {
            let (name, after) = after.split_once('>').ok_or(Malformed)?;
            if open.pop() != Some(name.trim_end()) {
                return Err(Malformed);
            }
            pieces.push(Piece::End(local(name.trim_end())));
            is_over = open.is_empty();
            rest = after;
        } else {
            // A second root, a document type, and nesting without end are refused.
            if is_over || tag.starts_with("<!") || open.len() >= MAX_DEPTH {
                return Err(Malformed);
            }
            let end = end_of_tag(&tag[1..]).ok_or(Malformed)?;
            let (inner, after) = tag[1..].split_at(end);
            let (inner, is_empty) = match inner.strip_suffix('/') {
                Some(inner) => (inner, true),
                None => (inner, false),
            };
            let name = inner.split(char::is_whitespace).next().unwrap_or_default();
            if !is_name(name) {
                return Err(Malformed);
            }
            pieces.push(Piece::Start(local(name)));
            match is_empty {
                true => pieces.push(Piece::End(local(name))),
                false => open.push(name),
            }
            is_over = open.is_empty();
            rest = &after[1..];
        }
    }
    put_text(&mut pieces, &open, rest)?;
    match is_over && open.is_empty() {
        true => Ok(pieces),
        false => Err(Malformed),
    }
}

/// Text between tags; outside of the root only blanks.
fn put_text<'a>(pieces: &mut Vec<Piece<'a>>, open: &[&str], text: &str) -> Result<(), Malformed> {
    if text.is_empty() {
        return Ok(());
    }
    if open.is_empty() {
        return match text.trim().is_empty() {
            true => Ok(()),
            false => Err(Malformed),
        };
    }
    pieces.push(Piece::Text(unescape(text)?));
    Ok(())
}

/// Place of the `>` that ends a tag: not one within a quoted value.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '<') => return None,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn unescape(text: &str) -> Result<String, Malformed> {
    let mut pieces = text.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once(';').ok_or(Malformed)?;
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let c = match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
                (Some(digits), _) => number(digits, 16).ok_or(Malformed)?,
                (None, Some(digits)) => number(digits, 10).ok_or(Malformed)?,
                (None, None) => return Err(Malformed),
            },
        };
        out.push(c);
        out.push_str(rest);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_text_and_what_is_escaped() {
        let text = "\u{feff}<?xml version='1.0'?>\n<!-- <x> --><a:b c='>' d=\"/\"><e/>&lt;&#65;&#x42;<![CDATA[<&]]></a:b>\n";
        let pieces = read(text).expect("a document");
        assert_eq!(
            pieces,
            [
                Piece::Start("b"),
                Piece::Start("e"),
                Piece::End("e"),
                Piece::Text("<AB".into()),
                Piece::Text("<&".into()),
                Piece::End("b"),
            ]
        );
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(33), "</a>".repeat(33));
        for text in [
            "",
            "x",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>x",
            "<a b='></a>",
            "<a><!--</a>",
            "<1/>",
            "< a/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<a>&b;</a>",
            "<a>&</a>",
            "<a>&#xd800;</a>",
            "<a <b/>></a>",
            "<![CDATA[x]]>",
            "<a><![CDATA[x</a>",
            "<?xml",
            deep.as_str(),
        ] {
            assert_eq!(read(text), Err(Malformed), "{text}");
        }
    }
}
