//! Names within a document: different words never get the same one.

use std::collections::BTreeMap;

/// The names that a document has given.
#[derive(Debug, Default)]
pub(super) struct Ids(BTreeMap<String, Vec<String>>);

impl Ids {
    /// The name for words that are joined to `text`, the same whenever it is asked for.
    pub(super) fn name(&mut self, text: &str, words: &[&str]) -> String {
        let is_free = |taken: Option<&Vec<String>>| taken.is_none_or(|taken| taken == words);
        let mut name = text.to_owned();
        let mut number = 2_u32;
        while !is_free(self.0.get(&name)) {
            name = format!("{text}{number}");
            number += 1;
        }
        self.0.insert(name.clone(), words.iter().map(|&word| word.to_owned()).collect());
        name
    }
}

/// Words as CloudFormation takes them in a name: letters and digits alone.
pub(super) fn camel(words: &[&str]) -> String {
    let parts = words.iter().flat_map(|word| word.split(|c: char| !c.is_ascii_alphanumeric()));
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    parts.filter_map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_words_have_different_names_and_the_same_words_the_same() {
        let mut ids = Ids::default();
        let mut id = |words: &[&str]| ids.name(&camel(words), words);
        assert_eq!(id(&["sample_producer", "alias"]), "SampleProducerAlias");
        assert_eq!(id(&["sample-producer", "alias"]), "SampleProducerAlias2");
        assert_eq!(id(&["sample_producer", "alias"]), "SampleProducerAlias");
    }
}
