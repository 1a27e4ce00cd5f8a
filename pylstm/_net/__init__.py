"""The ground: nets, what a model is, what comes in, what happened inside. All may import it; it imports no other."""
