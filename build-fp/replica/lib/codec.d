build-fp/replica/lib/codec.o: replica/lib/codec.c replica/lib/codec.h \
 replica/lib/check.h replica/lib/err.h
replica/lib/codec.h:
replica/lib/check.h:
replica/lib/err.h:
