"""What one compromised pod can reach: objects of a cluster and of its cloud to a graph, paths and choke points."""
