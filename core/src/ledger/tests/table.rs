//! Tables of cases as text.

/// What a case is given: a name, and every value there is of it.
pub(super) type Given<'a> = (&'a str, &'a [&'a str]);

/// Runs every combination of what is given, and compares what comes of it with the one row that
/// fits. The first columns of a row are what is given, where `*` stands for any value.
pub(super) fn check(table: &str, given: &[Given<'_>], run: impl Fn(&[&str]) -> Vec<String>) {
    let mut rows = table.trim().lines().map(cells);
    let heading = rows.next().unwrap();
    let rows: Vec<Vec<&str>> = rows.collect();
    let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
    assert_eq!(heading[..given.len()], names, "the first columns");
    let mut used = vec![false; rows.len()];
    let mut wrong = Vec::new();
    for case in combinations(given) {
        let fits = |row: &&Vec<&str>| {
            case.iter()
                .zip(*row)
                .all(|(it, cell)| *cell == "*" || cell == it)
        };
        let fitting: Vec<usize> = (0..rows.len()).filter(|at| fits(&&rows[*at])).collect();
        let [at] = fitting[..] else {
            wrong.push(format!("{case:?} has {} rows", fitting.len()));
            continue;
        };
        used[at] = true;
        assert_eq!(rows[at].len(), heading.len(), "cells of {:?}", rows[at]);
        let found = run(&case);
        assert_eq!(found.len(), heading.len() - given.len());
        let cells = heading.iter().zip(&rows[at]).skip(given.len());
        for ((name, cell), found) in cells.zip(&found) {
            if cell != found {
                wrong.push(format!("{case:?}: '{name}' is '{found}', not '{cell}'"));
            }
        }
    }
    let unused = used.iter().zip(&rows).filter(|(used, _)| !**used);
    wrong.extend(unused.map(|(_, row)| format!("{row:?} fits no case")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cells(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

fn combinations<'a>(given: &[Given<'a>]) -> Vec<Vec<&'a str>> {
    let mut cases = vec![Vec::new()];
    for (_, values) in given {
        let longer = |case: &Vec<&'a str>| {
            let longer = values
                .iter()
                .map(|value| [case.clone(), vec![*value]].concat());
            longer.collect::<Vec<_>>()
        };
        cases = cases.iter().flat_map(longer).collect();
    }
    cases
}

#[test]
#[should_panic(expected = r#"["b"]: 'twice' is 'bb', not 'b'"#)]
fn a_table_says_which_row_differs_and_how() {
    check(
        "it | twice \n a | aa \n b | b",
        &[("it", &["a", "b"])],
        |given| vec![given[0].repeat(2)],
    );
}

#[test]
#[should_panic(expected = r#"["b"] has 0 rows"#)]
fn a_table_that_leaves_out_a_case_is_refused() {
    check("it | twice \n a | aa", &[("it", &["a", "b"])], |given| {
        vec![given[0].repeat(2)]
    });
}
