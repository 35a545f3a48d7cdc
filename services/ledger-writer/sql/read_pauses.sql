SELECT scope, types, reason FROM pauses
