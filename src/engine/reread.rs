//! Reading again the files that moved, as far as their documents moved.

use crate::engine::gather::FromWorkspace;
use crate::engine::memory::{Declared, id_of};
use crate::engine::pieces::{Mark, Piece, mark_at, marks, without};
use crate::kinds::Kinds;
use crate::manifest::{self, FileRead};
use crate::model::ResourceId;
use crate::model::parallel::{ALONE_MAX, each};
use crate::store::Touched;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A file that moved.
pub struct Text<'m> {
    /// Its place.
    pub place: usize,
    /// Its name as users see it.
    pub name: Arc<str>,
    /// What stands in it.
    pub text: Arc<str>,
    /// What it declared before.
    pub before: Vec<Declared<'m>>,
}

/// What was read of it.
pub struct Read<'m> {
    /// Its place.
    pub place: usize,
    /// The documents that moved.
    pub file: FileRead,
    /// What it declared before.
    pub before: Vec<Declared<'m>>,
    /// Which of that stands in it as before.
    pub stands: Vec<bool>,
    marks: Vec<(u32, Mark)>,
}

impl Read<'_> {
    /// The marks of the documents that were read.
    pub fn marks(&self) -> impl Iterator<Item = (ResourceId, Mark)> {
        let of = |document: &manifest::Document| {
            Some((document.id.clone()?, mark_at(&self.marks, Some(document.line))?))
        };
        self.file.documents.iter().filter_map(of)
    }
}

/// The most files that a hand takes at a time.
const HANDFUL_MAX: usize = 32;

/// How files are read again.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The kinds.
    pub kinds: &'a Kinds,
    /// The folder of the workspace.
    pub workspace: &'a Path,
    /// The kinds that the numbers of what was declared before mean.
    pub named: &'a [String],
    /// What transactions touched since: what stands there is not believed.
    pub touched: &'a Touched,
    /// True when one of the files may be a link.
    pub linked: bool,
}

impl Reading<'_> {
    /// Reads them; `None` when anything is wrong with a manifest, or it stands for others.
    #[must_use]
    pub fn all<'m>(&self, mut texts: Vec<Text<'m>>) -> Option<Vec<Read<'m>>> {
        let handful = texts.len().div_ceil(ALONE_MAX).clamp(1, HANDFUL_MAX);
        let mut handfuls = Vec::with_capacity(texts.len() / handful + 1);
        while !texts.is_empty() {
            handfuls.push(texts.split_off(texts.len().saturating_sub(handful)));
        }
        handfuls.reverse();
        let from_workspace = FromWorkspace::new(self.workspace, self.linked);
        let read = each(handfuls, |handful| -> Option<Vec<Read<'m>>> {
            let mut from_workspace = from_workspace.clone();
            handful.into_iter().map(|text| self.one(text, &mut from_workspace)).collect()
        });
        Some(read.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn one<'m>(&self, text: Text<'m>, from_workspace: &mut FromWorkspace) -> Option<Read<'m>> {
        let Text { place, name: file, text, before } = text;
        let name = from_workspace.name(file.clone());
        let pieces = Piece::all(&text);
        let marks = marks(&name, &pieces);
        let (mut stands, lines) = standing(self.named, &before, &marks, self.touched);
        let mut read = manifest::read_file(self.kinds, &file, &without(&text, &pieces, &lines));
        if !read.problems.is_empty() && !lines.is_empty() {
            // A text from which some was taken is not always one that can be read.
            stands.fill(false);
            read = manifest::read_file(self.kinds, &file, &text);
        }
        for document in &mut read.documents {
            let resource = document.resource.as_mut()?;
            let entry = self.kinds.get(resource.id.kind.as_str())?;
            if (entry.expand)(resource, &[]).is_some() {
                return None;
            }
            resource.source.file = Some(name.clone());
        }
        let is_well = read.problems.is_empty();
        is_well.then_some(Read { place, file: read, before, stands, marks })
    }
}

/// Which of what a file declared it still says in the same place, and the first lines of the pieces
/// that say it. Not so where a row was touched: it may say something else by now.
fn standing(
    kinds: &[String],
    declared: &[Declared<'_>],
    marks: &[(u32, Mark)],
    touched: &Touched,
) -> (Vec<bool>, Vec<u32>) {
    let is_touched = |one: &Declared<'_>| {
        !touched.rows.is_empty() && touched.rows.contains(&id_of(kinds, one.kind, one.name))
    };
    let mut bearers: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (at, one) in declared.iter().enumerate().filter(|(_, one)| !one.mark.is_empty()) {
        bearers.entry(one.mark).or_default().push(at);
    }
    let (mut stands, mut lines) = (vec![false; declared.len()], Vec::new());
    for (line, mark) in marks {
        let Some(all) = bearers.get(mark.as_slice()) else { continue };
        if !all.iter().any(|at| is_touched(&declared[*at])) {
            all.iter().for_each(|at| stands[*at] = true);
            lines.push(*line);
        }
    }
    (stands, lines)
}
