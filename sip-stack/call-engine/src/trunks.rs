//! Trunks of a rule: by cost and priority, and those that are equal by their shares of the calls.

/// Trunk that a rule may call by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkChoice {
    /// Its name.
    pub name: String,
    /// Cheaper ones come first; in millionths of whatever unit.
    pub cost: u64,
    /// Among those of one cost, lower ones come first.
    pub priority: u16,
    /// Share of the calls among those of one cost and priority. Where none of them has one, they come in their order.
    pub weight: Option<u16>,
}

impl TrunkChoice {
    /// A trunk that costs nothing, and shares calls with nobody.
    #[must_use]
    pub fn named(name: impl Into<String>) -> TrunkChoice {
        TrunkChoice {
            name: name.into(),
            cost: 0,
            priority: 0,
            weight: None,
        }
    }
}

/// Trunks that a rule calls by, in tiers: a call goes to those of the first tier, then to those of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunks(Vec<Vec<(String, u16)>>);

impl Trunks {
    /// Puts trunks in order.
    #[must_use]
    pub fn new(mut choices: Vec<TrunkChoice>) -> Trunks {
        choices.sort_by_key(|choice| (choice.cost, choice.priority));
        let mut tiers = Vec::new();
        for equals in choices.chunk_by(|a, b| (a.cost, a.priority) == (b.cost, b.priority)) {
            let share = |choice: &TrunkChoice| (choice.name.clone(), choice.weight.unwrap_or(1));
            if equals.iter().any(|choice| choice.weight.is_some()) {
                tiers.push(equals.iter().map(share).collect());
            } else {
                tiers.extend(equals.iter().map(|choice| vec![share(choice)]));
            }
        }
        Trunks(tiers)
    }

    /// Names and weights of the trunks that stand together, best first.
    #[must_use]
    pub fn tiers(&self) -> &[Vec<(String, u16)>] {
        &self.0
    }

    /// Names of all, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(|(name, _)| name.as_str())
    }

    /// Those but the one of that name; `None` if nothing is left.
    #[must_use]
    pub fn without(&self, name: &str) -> Option<Trunks> {
        let tiers = self.0.iter().map(|tier| {
            let others = tier.iter().filter(|(other, _)| other != name);
            others.cloned().collect::<Vec<_>>()
        });
        let tiers: Vec<_> = tiers.filter(|tier| !tier.is_empty()).collect();
        (!tiers.is_empty()).then_some(Trunks(tiers))
    }
}

impl From<&str> for Trunks {
    fn from(name: &str) -> Trunks {
        Trunks::new(vec![TrunkChoice::named(name)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(name: &str, cost: u64, priority: u16, weight: Option<u16>) -> TrunkChoice {
        TrunkChoice {
            cost,
            priority,
            weight,
            ..TrunkChoice::named(name)
        }
    }

    fn names(trunks: &Trunks) -> Vec<Vec<&str>> {
        let tiers = trunks.tiers().iter();
        tiers
            .map(|tier| tier.iter().map(|(name, _)| name.as_str()).collect())
            .collect()
    }

    #[test]
    fn trunks_come_by_cost_then_priority_then_in_their_order() {
        let trunks = Trunks::new(vec![
            choice("dear", 20, 0, None),
            choice("b", 10, 1, None),
            choice("a", 10, 1, None),
            choice("first", 10, 0, None),
        ]);
        assert_eq!(names(&trunks), [["first"], ["b"], ["a"], ["dear"]]);
    }

    #[test]
    fn weights_let_equals_share() {
        let trunks = Trunks::new(vec![
            choice("a", 0, 0, Some(2)),
            choice("b", 0, 0, None),
            choice("spare", 0, 1, Some(5)),
        ]);
        assert_eq!(names(&trunks), [vec!["a", "b"], vec!["spare"]]);
        assert_eq!(trunks.tiers()[0], [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        let left = trunks.without("spare").and_then(|left| left.without("a"));
        assert_eq!(left.as_ref().map(names), Some(vec![vec!["b"]]));
        assert_eq!(left.and_then(|left| left.without("b")), None);
    }
}
