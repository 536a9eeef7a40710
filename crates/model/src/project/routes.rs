//! The routes of all functions against each other and against what API Gateway accepts.

use std::collections::{BTreeMap, BTreeSet};

use super::loaded_function::LoadedFunction;
use super::problem::{Place, Problem};
use super::{FunctionName, Method, Route, Security};

/// The most resources, which are path prefixes, that one API of API Gateway holds.
const MOST_RESOURCES: usize = 300;

/// A route with where it comes from.
pub(super) struct Placed {
    pub route: Route,
    pub security: Option<Security>,
    pub place: Place,
}

/// The routes of a function as written, or its default route.
pub(super) fn of(name: &FunctionName, function: &LoadedFunction) -> Vec<Placed> {
    let document = &function.document;
    let Some(routes) = &function.file.routes else {
        return Route::new(Method::Any, &format!("/{name}"))
            .map(|route| Placed { route, security: None, place: document.place_of(0) })
            .into_iter()
            .collect();
    };
    let place = |index: usize| {
        let index = index.to_string();
        let inner = document.place(&["routes", &index, "route"]);
        inner.or_else(|| document.place(&["routes", &index])).unwrap_or_else(|| document.place_of(0))
    };
    routes
        .iter()
        .enumerate()
        .map(|(index, setting)| Placed {
            route: setting.route().clone(),
            security: setting.security(),
            place: place(index),
        })
        .collect()
}

/// Checks that the routes of all functions can live in one API.
pub(super) fn check(functions: &BTreeMap<FunctionName, LoadedFunction>, problems: &mut Vec<Problem>) {
    let mut routes: BTreeMap<Route, (&FunctionName, Place)> = BTreeMap::new();
    let mut parameters: BTreeMap<String, (String, String, Place)> = BTreeMap::new();
    let mut resources = BTreeSet::from(["/".to_owned()]);
    for (name, function) in functions {
        for Placed { route, place, .. } in of(name, function) {
            siblings(&route, &place, &mut parameters, problems);
            resources.extend(prefixes(route.path()));
            if let Some((first, first_place)) = routes.get(&route) {
                problems.push(
                    Problem::new(format!("{name} has the route `{route}`, which {first} has already"))
                        .at(place)
                        .help(format!("the first one is at {first_place}")),
                );
            } else {
                routes.insert(route, (name, place));
            }
        }
    }
    if resources.len() > MOST_RESOURCES {
        problems.push(
            Problem::new(format!(
                "the routes need {} resources: API Gateway holds at most {MOST_RESOURCES} in one API",
                resources.len()
            ))
            .help("let routes share paths, or take many with one `{proxy+}`"),
        );
    }
}

/// API Gateway lets a resource have one child that is a parameter.
fn siblings(
    route: &Route,
    place: &Place,
    parameters: &mut BTreeMap<String, (String, String, Place)>,
    problems: &mut Vec<Problem>,
) {
    let mut parent = String::new();
    for segment in route.path().split('/').filter(|segment| !segment.is_empty()) {
        if segment.starts_with('{') {
            let (known, first, first_place) = parameters
                .entry(parent.clone())
                .or_insert_with(|| (segment.to_owned(), route.to_string(), place.clone()));
            if known != segment {
                problems.push(
                    Problem::new(format!(
                        "`{route}` has the parameter `{segment}` where `{first}` has `{known}`: API Gateway allows one name there"
                    ))
                    .at(place.clone())
                    .help(format!("give both the same name; the other is at {first_place}")),
                );
            }
        }
        parent.push('/');
        parent.push_str(segment);
    }
}

fn prefixes(path: &str) -> impl Iterator<Item = String> {
    let ends = path.match_indices('/').skip(1).map(|(index, _)| index).chain([path.len()]);
    ends.map(|end| path[..end].to_owned())
}

/// Routes that API Gateway's answers to browsers on other origins would collide with.
pub(super) fn check_cors(functions: &BTreeMap<FunctionName, LoadedFunction>, problems: &mut Vec<Problem>) {
    for (name, function) in functions {
        for Placed { route, place, .. } in of(name, function) {
            if route.method() == Method::Options {
                problems.push(
                    Problem::new(format!(
                        "`{route}` collides with `cors = true`, which answers OPTIONS itself"
                    ))
                    .at(place)
                    .help("remove the route, or switch `cors` off under `[api]` in project.toml"),
                );
            }
        }
    }
}
