//! Circles in a small graph, each told once. Knows nothing of what the nodes are.

/// Calls `tell` with the edges of circles, each as the node it leaves and what it carries; every edge that closes
/// a circle is told once. Linear, and without recursion.
pub(crate) fn circles<E: Copy>(edges: &[Vec<(usize, E)>], mut tell: impl FnMut(&[(usize, E)])) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open(usize),
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    for start in 0..edges.len() {
        if marks[start] != Mark::New {
            continue;
        }
        // The path so far: a node, its next edge, and what the edge to the next node carries.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        let mut carried: Vec<(usize, E)> = Vec::new();
        marks[start] = Mark::Open(0);
        while let Some((node, next)) = path.last_mut() {
            let Some((to, edge)) = edges[*node].get(*next).copied() else {
                marks[*node] = Mark::Done;
                path.pop();
                carried.pop();
                continue;
            };
            *next += 1;
            let from = *node;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::Open(path.len());
                    path.push((to, 0));
                    carried.push((from, edge));
                }
                Mark::Open(depth) => {
                    let mut circle = carried[depth..].to_vec();
                    circle.push((from, edge));
                    tell(&circle);
                }
                Mark::Done => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(edges: &[Vec<(usize, char)>]) -> Vec<String> {
        let mut out = Vec::new();
        circles(edges, |circle| out.push(circle.iter().map(|(from, edge)| format!("{from}{edge}")).collect()));
        out
    }

    #[test]
    fn each_circle_with_every_edge() {
        assert_eq!(found(&[vec![(1, 'a')], vec![(2, 'b')], vec![(0, 'c')]]), ["0a1b2c"]);
        assert_eq!(found(&[vec![(0, 'a')]]), ["0a"]);
        assert_eq!(found(&[vec![(1, 'a'), (2, 'b')], vec![(2, 'c')], vec![]]), [""; 0]);
        assert_eq!(found(&[vec![(1, 'a')], vec![(2, 'b'), (1, 'd')], vec![(1, 'c')]]), ["1b2c", "1d"]);
    }
}
