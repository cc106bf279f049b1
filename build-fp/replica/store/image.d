build-fp/replica/store/image.o: replica/store/image.c \
 replica/store/store_internal.h replica/store/store.h replica/lib/codec.h \
 replica/lib/check.h
replica/store/store_internal.h:
replica/store/store.h:
replica/lib/codec.h:
replica/lib/check.h:
