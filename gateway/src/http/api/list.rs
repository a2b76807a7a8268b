//! Lists, a page at a time.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract;
use super::problem::{Code, Problem};

/// Selection of a part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Maximum number of items; default 50.
    #[param(minimum = 1, maximum = 200)]
    pub(super) limit: Option<u32>,
    /// `next_cursor` of the previous part.
    #[param(max_length = 200)]
    pub(super) cursor: Option<String>,
}

/// Part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct List<T> {
    /// Items of this part, in the order of the list.
    pub(super) items: Vec<T>,
    /// Cursor of the next part; none in the last one.
    pub(super) next_cursor: Option<String>,
}

impl Part {
    /// Number of items that are wanted.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        if let Some(cursor) = &self.cursor {
            extract::short("cursor", cursor, 200)?;
        }
        match self.limit.unwrap_or(50) {
            limit @ 1..=200 => Ok(limit as usize),
            _ => Err(Problem::field("limit", "from 1 to 200")),
        }
    }

    /// The part of a map in the order of its keys, with the entries that `seen` shows. All keys share a
    /// prefix, and so does a cursor.
    pub(super) fn of<V, T>(
        &self,
        all: &BTreeMap<String, V>,
        mut seen: impl FnMut(&V) -> Option<T>,
    ) -> Result<List<T>, Problem> {
        let limit = self.limit()?;
        let kind = |id: &str| id.split_once('_').map(|(kind, _)| kind.to_owned());
        if let (Some(cursor), Some((key, _))) = (&self.cursor, all.first_key_value())
            && kind(cursor) != kind(key)
        {
            return Err(Code::BadCursor.into());
        }
        let after = match &self.cursor {
            Some(cursor) => Bound::Excluded(cursor.as_str()),
            None => Bound::Unbounded,
        };
        let mut items = Vec::new();
        let mut last = None;
        for (id, value) in all.range::<str, _>((after, Bound::Unbounded)) {
            let Some(item) = seen(value) else {
                continue;
            };
            if items.len() == limit {
                return Ok(List {
                    items,
                    next_cursor: last,
                });
            }
            items.push(item);
            last = Some(id.clone());
        }
        Ok(List {
            items,
            next_cursor: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_until_the_list_ends() {
        let all: BTreeMap<String, u32> = (0..7).map(|n| (format!("id_{n}"), n)).collect();
        let odd = |n: &u32| (n % 2 == 1).then_some(*n);
        let mut part = Part {
            limit: Some(2),
            cursor: None,
        };
        let first = part.of(&all, odd).expect("a part");
        assert_eq!(first.items, [1, 3]);
        part.cursor = first.next_cursor;
        let second = part.of(&all, odd).expect("a part");
        assert_eq!(second.items, [5]);
        assert_eq!(second.next_cursor, None);
        part.cursor = Some("zzz".into());
        let wrong = part.of(&all, odd).expect_err("no cursor of this list");
        assert_eq!(wrong.code(), Code::BadCursor);
        part.limit = Some(0);
        part.of(&all, odd).expect_err("no limit");
    }
}
