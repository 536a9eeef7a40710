//! The nearest known word to one that is not known.

/// The candidate that `word` was most likely meant to be; case, `_` and `-` do not count as differences.
///
/// As many differences as a word has letters make any word of any other: no candidate is that far.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let near = candidates.into_iter().filter_map(|candidate| {
        let plain = plain(candidate);
        let distance = strsim::damerau_levenshtein(&word, &plain);
        let letters = word.chars().count().min(plain.chars().count());
        let allowed = (candidate.chars().count() / 3).clamp(1, 3);
        (distance <= allowed && distance < letters).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

fn plain(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_near_to_what_shares_a_letter_with_it() {
        for (word, candidate) in [("db", "dc"), ("db", "bd"), ("A", "a"), ("db", "D-B"), ("api", "apy")] {
            assert_eq!(nearest(word, [candidate]), Some(candidate), "{word} {candidate}");
        }
    }

    #[test]
    fn a_short_name_is_not_near_to_everything() {
        for (word, candidate) in
            [("x", "a"), ("x", "xy"), ("xy", "x"), ("", "a"), ("a", ""), ("_", "a"), ("db", "xy")]
        {
            assert_eq!(nearest(word, [candidate]), None, "{word} {candidate}");
        }
    }

    #[test]
    fn a_long_name_is_near_to_what_differs_by_at_most_three_letters() {
        assert_eq!(nearest("sampel_producer", ["consumer", "sample_producer"]), Some("sample_producer"));
        assert_eq!(nearest("sample_prod", ["sample_producer"]), None);
    }
}
