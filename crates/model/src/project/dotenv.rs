//! Reads the dotenv format: names, quotes, comments. It expands nothing: `$` in a value is a `$`.

use super::problem::{Place, Problem};

/// A variable and where its name stands.
pub(super) struct Entry {
    pub name: String,
    pub value: String,
    pub place: Place,
}

/// Reads `NAME=value` lines.
///
/// A value is the rest of its line without surrounding blanks and without a comment after ` #`; or it stands in single
/// quotes, where everything is literal; or in double quotes, where `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are escapes.
/// Quoted values may span lines, each of which ends in `\n` whatever it ends in in the file. `export ` before a name is ignored. The last of several lines with one name counts.
///
/// # Errors
///
/// Every line that is none of this.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Entry>, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut reader = Reader { file, rest: &text, line: 1, column: 1 };
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    loop {
        reader.take_while(char::is_whitespace);
        if reader.rest.is_empty() {
            break;
        }
        if reader.rest.starts_with('#') {
            reader.skip_line();
            continue;
        }
        match reader.entry() {
            Ok(entry) => entries.push(entry),
            Err(problem) => {
                problems.push(problem);
                reader.skip_line();
            }
        }
    }
    if problems.is_empty() { Ok(entries) } else { Err(problems) }
}

struct Reader<'a> {
    file: &'a str,
    rest: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Reader<'a> {
    fn place(&self) -> Place {
        Place { file: self.file.to_owned(), line: self.line, column: self.column }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        if next == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(next)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let start = self.rest;
        while self.rest.starts_with(&wanted) {
            self.next();
        }
        &start[..start.len() - self.rest.len()]
    }

    fn skip_line(&mut self) {
        self.take_while(|c| c != '\n');
    }

    fn blanks(&mut self) {
        self.take_while(|c| c == ' ' || c == '\t');
    }

    fn entry(&mut self) -> Result<Entry, Problem> {
        if self.rest.strip_prefix("export").is_some_and(|rest| rest.starts_with([' ', '\t'])) {
            self.take_while(|c| c.is_ascii_alphabetic());
            self.blanks();
        }
        let place = self.place();
        let name = self.take_while(|c| c != '=' && !c.is_whitespace()).to_owned();
        self.blanks();
        if name.is_empty() || !self.rest.starts_with('=') {
            return Err(Problem::new("this line is not `NAME=value`").at(place));
        }
        self.next();
        self.blanks();
        let value = match self.rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.bare(),
        };
        Ok(Entry { name, value, place })
    }

    fn bare(&mut self) -> String {
        let line = self.take_while(|c| c != '\n');
        let comment = line
            .char_indices()
            .find(|(index, c)| *c == '#' && (*index == 0 || line[..*index].ends_with([' ', '\t'])));
        line[..comment.map_or(line.len(), |(index, _)| index)].trim().to_owned()
    }

    fn quoted(&mut self, quote: char) -> Result<String, Problem> {
        let start = self.place();
        let unclosed = || Problem::new(format!("this value has no closing {quote}")).at(start.clone());
        self.next();
        let mut value = String::new();
        loop {
            match self.next().ok_or_else(unclosed)? {
                c if c == quote => break,
                '\\' if quote == '"' => match self.next().ok_or_else(unclosed)? {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    c @ ('"' | '\\' | '$' | '\'') => value.push(c),
                    c => value.extend(['\\', c]),
                },
                c => value.push(c),
            }
        }
        self.blanks();
        let place = self.place();
        let after = self.take_while(|c| c != '\n').trim_end();
        if after.is_empty() || after.starts_with('#') {
            Ok(value)
        } else {
            Err(Problem::new("only a comment may follow a value in quotes").at(place))
        }
    }
}
