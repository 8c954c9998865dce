"""The cellar: who and where, audit, and the faces that all houses share."""
