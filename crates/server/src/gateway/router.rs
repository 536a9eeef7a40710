//! Which route a request takes, with API Gateway's precedence: the resource is chosen by its path alone (literal over
//! `{parameter}` over `{greedy+}`), then the method on it (exact over `ANY`).

use std::collections::BTreeMap;

use mdo_model::project::{Method, Route};
use mdo_model::stack::ApiRoute;

use super::text::decode;

/// The resources of an API, as a tree of path segments.
#[derive(Debug, Default)]
pub(super) struct Router {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    parameter: Option<Box<Node>>,
    greedy: Option<Resource>,
    resource: Option<Resource>,
}

/// A path of the API with its methods.
#[derive(Debug)]
pub(super) struct Resource {
    /// As it was configured, `/samples/{id}`.
    pub(super) path: String,
    parameters: Vec<String>,
    methods: BTreeMap<Method, ApiRoute>,
}

/// A resource with the values of its parameters.
#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) resource: &'a Resource,
    pub(super) parameters: BTreeMap<&'a str, String>,
}

impl Resource {
    /// What a method calls.
    pub(super) fn route(&self, method: &str) -> Option<&ApiRoute> {
        let method: Method = method.parse().ok().filter(|method| *method != Method::Any)?;
        self.methods.get(&method).or_else(|| self.methods.get(&Method::Any))
    }

    /// Whether a method has a route of its own, not that of `ANY`.
    pub(super) fn names(&self, method: Method) -> bool {
        self.methods.contains_key(&method)
    }

    /// The methods, as a CORS header lists them.
    pub(super) fn allowed_methods(&self) -> String {
        if self.names(Method::Any) {
            return "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT".to_owned();
        }
        let methods = self.methods.keys().copied().chain([Method::Options]);
        let names: std::collections::BTreeSet<_> = methods.map(Method::as_str).collect();
        names.into_iter().collect::<Vec<_>>().join(",")
    }
}

impl Router {
    /// The tree of some routes.
    pub(super) fn new(routes: impl Iterator<Item = (Route, ApiRoute)>) -> Self {
        let mut router = Self::default();
        for (route, target) in routes {
            router.resource(route.path()).methods.insert(route.method(), target);
        }
        router
    }

    fn resource(&mut self, path: &str) -> &mut Resource {
        let mut node = &mut self.root;
        let mut parameters = Vec::new();
        let mut greedy = false;
        for segment in segments(path) {
            let name = segment.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
            match name {
                None => node = node.literals.entry(segment.to_owned()).or_default(),
                Some(name) => {
                    greedy = name.ends_with('+');
                    parameters.push(name.trim_end_matches('+').to_owned());
                    if !greedy {
                        node = node.parameter.get_or_insert_default();
                    }
                }
            }
        }
        let slot = if greedy { &mut node.greedy } else { &mut node.resource };
        slot.get_or_insert_with(|| Resource { path: path.to_owned(), parameters, methods: BTreeMap::new() })
    }

    /// The resource at a raw path without its stage. Slashes at its ends do not count.
    pub(super) fn find(&self, path: &str) -> Option<Match<'_>> {
        let raw: Vec<&str> = segments(path).collect();
        let mut values = Vec::new();
        let resource = self.root.find(&raw, &mut values)?;
        let names = resource.parameters.iter().map(String::as_str);
        Some(Match { resource, parameters: names.zip(values).collect() })
    }
}

impl Node {
    fn find(&self, rest: &[&str], values: &mut Vec<String>) -> Option<&Resource> {
        let Some((first, others)) = rest.split_first() else {
            return self.resource.as_ref();
        };
        let segment = decode(first);
        if let Some(found) = self.literals.get(segment.as_ref()).and_then(|node| node.find(others, values)) {
            return Some(found);
        }
        if let Some(node) = self.parameter.as_ref().filter(|_| !segment.is_empty()) {
            // A REST API hands parameters over as they were sent.
            values.push((*first).to_owned());
            if let Some(found) = node.find(others, values) {
                return Some(found);
            }
            values.pop();
        }
        let greedy = self.greedy.as_ref()?;
        values.push(rest.join("/"));
        Some(greedy)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_matches('/');
    path.split('/').filter(move |_| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mdo_model::project::Security;

    fn router(routes: &[&str]) -> Router {
        Router::new(routes.iter().map(|route| {
            let target = ApiRoute {
                function: "f".parse().unwrap(),
                security: Security::Open,
                timeout_ms: u32::try_from(route.len()).unwrap(),
            };
            (route.parse().unwrap(), target)
        }))
    }

    fn found(router: &Router, path: &str) -> Option<(String, Vec<(String, String)>)> {
        let found = router.find(path)?;
        let parameters = found.parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Some((found.resource.path.clone(), parameters.collect()))
    }

    fn path(router: &Router, path: &str) -> Option<String> {
        found(router, path).map(|(path, _)| path)
    }

    #[test]
    fn a_literal_wins_over_a_parameter_and_a_parameter_over_the_rest() {
        let router = router(&["GET /a/b", "GET /a/{x}", "ANY /{rest+}", "GET /a/{x}/c", "GET /"]);
        assert_eq!(path(&router, "/a/b").as_deref(), Some("/a/b"));
        assert_eq!(path(&router, "/a/z").as_deref(), Some("/a/{x}"));
        assert_eq!(path(&router, "/a/b/c").as_deref(), Some("/a/{x}/c"));
        assert_eq!(path(&router, "/a/b/d").as_deref(), Some("/{rest+}"));
        assert_eq!(path(&router, "/a").as_deref(), Some("/{rest+}"));
        assert_eq!(path(&router, "/").as_deref(), Some("/"));
        assert_eq!(path(&router, "").as_deref(), Some("/"));
    }

    #[test]
    fn a_greedy_parameter_needs_something_and_takes_everything() {
        let router = router(&["ANY /files/{proxy+}"]);
        assert_eq!(path(&router, "/files"), None);
        assert_eq!(path(&router, "/files/"), None);
        let (_, parameters) = found(&router, "/files/a/b%20c/").unwrap();
        assert_eq!(parameters, [("proxy".to_owned(), "a/b%20c".to_owned())]);
    }

    #[test]
    fn parameters_stay_encoded_and_an_encoded_slash_does_not_split() {
        let router = router(&["GET /x/{id}/{other}"]);
        let (_, parameters) = found(&router, "/x/a%2Fb+c/%C3%A9/").unwrap();
        assert_eq!(parameters, [("id".into(), "a%2Fb+c".into()), ("other".into(), "%C3%A9".into())]);
        assert_eq!(path(&router, "/x//y"), None);
    }

    #[test]
    fn the_path_decides_before_the_method_and_an_exact_method_wins_over_any() {
        let router = router(&["GET /a", "ANY /a", "POST /b", "ANY /{proxy+}"]);
        let a = router.find("/a").unwrap().resource;
        assert_eq!(a.route("GET").unwrap().timeout_ms, 6);
        assert!(a.route("HEAD").is_some());
        assert!(a.route("ANY").is_none());
        assert!(a.route("TRACE").is_none());
        assert!(router.find("/b").unwrap().resource.route("GET").is_none());
    }

    #[test]
    fn a_get_route_does_not_answer_head() {
        assert!(router(&["GET /a"]).find("/a").unwrap().resource.route("HEAD").is_none());
    }
}
