"""The ground: what a model is, nets, their weights and inputs. All may import it; it imports none of the others."""
