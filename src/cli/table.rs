//! Tables that fit the terminal: columns two spaces apart, no lines.
//!
//! In a pipe nothing is cut. On a terminal the widest columns are cut first; headings and cells that
//! must be whole (amounts) never are; and where that is not enough, columns are left out.

use crate::model::display::{columns, cut, padded};

/// Spaces between columns.
const GAP: usize = 2;
/// A name is never cut below this, nor below its share of the terminal: it is what the next command
/// needs.
const NAME_WIDTH_MIN: usize = 16;
/// The share of the terminal that is a name's, in percent.
const NAME_PERCENT: usize = 40;
/// Any other cell is never cut below this.
const CELL_WIDTH_MIN: usize = 8;

/// How soon a column is left out when there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leave {
    /// Never.
    Never,
    /// After all others.
    Last,
    /// From the right.
    Later,
    /// First: a column of `-o wide`.
    First,
}

/// What stands in one place of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    whole: bool,
}

impl Cell {
    /// A text that is never cut.
    pub fn whole(text: impl Into<String>) -> Self {
        Self { text: text.into(), whole: true }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, whole: false }
    }
}

/// A table; its first column holds names.
#[derive(Debug, Default)]
pub struct Table {
    heads: Vec<(String, Leave)>,
    rows: Vec<Vec<Cell>>,
}

/// A table as text, with the headings of the columns that found no room.
#[derive(Debug, PartialEq)]
pub struct Fitted {
    /// The lines.
    pub text: String,
    /// What was left out, from the left.
    pub left_out: Vec<String>,
}

impl Table {
    /// A table with these columns; the first one is never left out.
    pub fn new<'a>(heads: impl IntoIterator<Item = (&'a str, Leave)>) -> Self {
        let heads = heads.into_iter().map(|(title, leave)| (title.to_owned(), leave)).collect();
        Self { heads, rows: Vec::new() }
    }

    /// Adds a row; what is empty becomes `-`.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        let cells = cells.into_iter().map(Into::into);
        let shown = |cell: Cell| if cell.text.is_empty() { "-".to_owned().into() } else { cell };
        self.rows.push(cells.map(shown).collect());
    }

    /// The table in at most so many columns of the terminal; without a width, whole.
    pub fn fit(&self, width: Option<usize>) -> Fitted {
        let mut shown: Vec<usize> = (0..self.heads.len()).collect();
        let widths = loop {
            let Some(width) = width else { break self.natural(&shown) };
            if let Some(widths) = self.narrowed(&shown, width) {
                break widths;
            }
            let least = shown
                .iter()
                .enumerate()
                .skip(1)
                .max_by_key(|(at, column)| (self.heads[**column].1, *at));
            match least.filter(|(_, column)| self.heads[**column].1 != Leave::Never) {
                Some((at, _)) => shown.remove(at),
                None => break self.least(&shown, width),
            };
        };
        let left_out = (0..self.heads.len()).filter(|column| !shown.contains(column));
        Fitted {
            text: self.lines(&shown, &widths),
            left_out: left_out.map(|column| self.heads[column].0.clone()).collect(),
        }
    }

    /// Headings as cells, then the rows.
    fn cells(&self, column: usize) -> impl Iterator<Item = (&str, bool)> {
        let head = (self.heads[column].0.as_str(), true);
        let cells = self.rows.iter().filter_map(move |row| row.get(column));
        std::iter::once(head).chain(cells.map(|cell| (cell.text.as_str(), cell.whole)))
    }

    fn natural(&self, shown: &[usize]) -> Vec<usize> {
        let widest = |column| self.cells(column).map(|(text, _)| columns(text)).max();
        shown.iter().map(|column| widest(*column).unwrap_or_default()).collect()
    }

    /// The narrowest that each column may become.
    fn least(&self, shown: &[usize], width: usize) -> Vec<usize> {
        let least = |(column, natural): (&usize, usize)| {
            let whole = self.cells(*column).filter(|(_, whole)| *whole);
            let whole = whole.map(|(text, _)| columns(text)).max().unwrap_or_default();
            let name = NAME_WIDTH_MIN.max(width * NAME_PERCENT / 100);
            let least = if *column == 0 { name } else { CELL_WIDTH_MIN };
            whole.max(least.min(natural))
        };
        shown.iter().zip(self.natural(shown)).map(least).collect()
    }

    /// Widths that fit: the widest columns give first. `None` when it cannot be done.
    fn narrowed(&self, shown: &[usize], width: usize) -> Option<Vec<usize>> {
        let (natural, least) = (self.natural(shown), self.least(shown, width));
        let room = width.checked_sub(GAP * shown.len().saturating_sub(1))?;
        let under = |cap: usize| -> Vec<usize> {
            natural
                .iter()
                .zip(&least)
                .map(|(natural, least)| cap.max(*least).min(*natural))
                .collect()
        };
        let cap = (0..=width).rev().find(|cap| under(*cap).iter().sum::<usize>() <= room)?;
        let mut widths = under(cap);
        // What the last step left over goes to the first columns that want it.
        let mut left = room - widths.iter().sum::<usize>();
        for (width, natural) in widths.iter_mut().zip(&natural) {
            let more = left.min(1).min(natural - *width);
            *width += more;
            left -= more;
        }
        Some(widths)
    }

    fn lines(&self, shown: &[usize], widths: &[usize]) -> String {
        let mut out = String::new();
        for row in 0..=self.rows.len() {
            let mut line = String::new();
            for (column, width) in shown.iter().zip(widths) {
                let text = match row.checked_sub(1).map(|row| &self.rows[row]) {
                    None => self.heads[*column].0.as_str(),
                    Some(row) => row.get(*column).map_or("", |cell| cell.text.as_str()),
                };
                line.push_str(&padded(&cut(text, *width), width + GAP));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Leave, Table};

    fn table() -> Table {
        let mut table = Table::new([
            ("NAME", Leave::Never),
            ("COMPANY", Leave::Later),
            ("MONTHLY", Leave::Later),
            ("TENANT", Leave::First),
            ("READY", Leave::Last),
        ]);
        let row = |name: &str, company: &str| {
            [
                Cell::from(name.to_owned()),
                company.to_owned().into(),
                Cell::whole("1234567890.00 EUR"),
                "22051673-cc5b-8bdd-a7b2-5e46fb464bb8".to_owned().into(),
                String::new().into(),
            ]
        };
        table.row(row("adventure-works-north-europe", "Adventure Works 北欧株式会社"));
        table.row(row("contoso", "Contoso"));
        table
    }

    #[test]
    fn a_pipe_gets_everything_and_a_terminal_what_fits() {
        let whole = table().fit(None);
        assert_eq!(
            whole.text,
            "NAME                          COMPANY                       MONTHLY            TENANT                                READY\n\
             adventure-works-north-europe  Adventure Works 北欧株式会社  1234567890.00 EUR  22051673-cc5b-8bdd-a7b2-5e46fb464bb8  -\n\
             contoso                       Contoso                       1234567890.00 EUR  22051673-cc5b-8bdd-a7b2-5e46fb464bb8  -\n"
        );
        assert_eq!(table().fit(Some(200)), whole);
        let narrow = table().fit(Some(80));
        assert_eq!(
            narrow.text,
            "NAME                          COMPANY      MONTHLY            TENANT       READY\n\
             adventure-works-north-europe  Adventure…   1234567890.00 EUR  22051673-c…  -\n\
             contoso                       Contoso      1234567890.00 EUR  22051673-c…  -\n"
        );
        assert!(narrow.left_out.is_empty());
    }

    #[test]
    fn no_table_is_wider_than_the_terminal_while_anything_can_be_left_out() {
        for width in 20..130 {
            let fitted = table().fit(Some(width));
            for line in fitted.text.lines() {
                assert!(crate::model::display::columns(line) <= width, "{width}: {line}");
                assert!(!line.contains("1234567890") || line.contains("1234567890.00 EUR"));
            }
            let out: Vec<&str> = fitted.left_out.iter().map(String::as_str).collect();
            let steps: [&[&str]; 5] = [
                &[],
                &["TENANT"],
                &["MONTHLY", "TENANT"],
                &["COMPANY", "MONTHLY", "TENANT"],
                &["COMPANY", "MONTHLY", "TENANT", "READY"],
            ];
            assert!(steps.contains(&out.as_slice()), "{width}: {out:?}");
        }
    }
}
