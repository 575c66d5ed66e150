"""x"""
def plan_randomised(scene, *, frames, seed): raise NotImplementedError
